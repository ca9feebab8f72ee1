#pragma once
// Bodies of graft/text/sentencepiece.hpp.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/utf8.hpp"
#include "graft/text/sentencepiece.hpp"

namespace graft::detail {

/// A message of protobuf's wire format.
class proto_message {
 public:
  proto_message(std::string_view bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}

  /// Calls VISIT(number, value, bytes) for each field: of a number (32 and 64 bits, too) the value, else its bytes.
  /// @throws format_error  cut short, or no such message
  template <class Visit>
  void for_each_field(Visit visit) const {
    for (std::size_t at = 0; at < bytes_.size();) {
      const std::uint64_t key = number(at);
      std::uint64_t value = 0, size = 0;
      switch (key & 7) {
        case 0:
          value = number(at);
          break;
        case 1:
          size = 8;
          break;
        case 2:
          size = number(at);
          break;
        case 5:
          size = 4;
          break;
        default:
          fail();
      }
      if (size > bytes_.size() - at || key >> 3 == 0) fail();
      const auto bytes = bytes_.substr(at, size);
      if ((key & 7) != 2) {
        for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
      }
      visit(key >> 3, value, bytes);
      at += size;
    }
  }

 private:
  [[noreturn]] void fail() const { throw format_error(path_, "is cut short, or no SentencePiece model"); }

  std::uint64_t number(std::size_t& at) const {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at == bytes_.size()) break;
      const auto byte = static_cast<unsigned char>(bytes_[at++]);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    fail();
  }

  std::string_view bytes_;
  std::string path_;
};

struct sentencepiece_file {
  struct piece {
    std::string text;
    double score = 0;
    std::uint64_t type = 1;  // 3: control, 4: user defined
  };
  std::vector<piece> pieces;
  std::uint64_t model_type = 1, unk_id = 0;
  std::string character_map;
};

GRAFT_INLINE sentencepiece_file read_sentencepiece(const std::string& path) {
  const mapped_file file(path);
  sentencepiece_file result;
  proto_message(file.text(), path).for_each_field([&](std::uint64_t field, std::uint64_t, std::string_view bytes) {
    const proto_message message(bytes, path);
    if (field == 1) {
      auto& piece = result.pieces.emplace_back();
      message.for_each_field([&](std::uint64_t number, std::uint64_t value, std::string_view text) {
        if (number == 1) piece.text = text;
        if (number == 2) piece.score = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(value)));
        if (number == 3) piece.type = value;
      });
      if (invalid_utf8(piece.text) != std::string::npos || !std::isfinite(piece.score)) {
        throw format_error(path, "piece " + std::to_string(result.pieces.size() - 1) + " is not UTF-8, or has no finite score");
      }
    } else if (field == 2) {
      message.for_each_field([&](std::uint64_t number, std::uint64_t value, std::string_view) {
        if (number == 3) result.model_type = value;
        if (number == 40) result.unk_id = value;
      });
    } else if (field == 3) {
      message.for_each_field([&](std::uint64_t number, std::uint64_t, std::string_view text) {
        if (number == 2) result.character_map = text;
      });
    }
  });
  if (result.model_type != 1) {
    throw format_error(path, "is a SentencePiece model of type " + std::to_string(result.model_type) + ", graft takes Unigram (1) only");
  }
  if (result.pieces.size() < 4)
    throw format_error(path, "has " + std::to_string(result.pieces.size()) + " pieces: no SentencePiece model?");
  return result;
}

GRAFT_INLINE std::string to_base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += at + i > bytes.size() ? '=' : digits[bits >> (18 - 6 * i) & 63];
  }
  return text;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE json sentencepiece_as_tokenizer(const std::string& path, sentencepiece_kind kind, bool lower_case, bool split_by_punct) {
  const auto file = detail::read_sentencepiece(path);
  json vocabulary = json::array(), added = json::array();
  const auto add = [&](const std::string& piece, double score) { vocabulary.push_back(json::array({piece, score})); };
  const auto mention = [&](const std::string& text, std::uint64_t id, bool special, bool lstrip = false, bool normalized = false) {
    added.push_back({{"id", id}, {"content", text}, {"special", special}, {"normalized", normalized}, {"lstrip", lstrip}});
  };
  std::uint64_t unk_id = 3;  // fairseq's ids, which have the special tokens in another order
  std::size_t taken = 0;     // pieces of the file that stand for those
  switch (kind) {
    case sentencepiece_kind::xlm_roberta:
      for (const auto* text : {"<s>", "<pad>", "</s>", "<unk>"}) add(text, 0);
      taken = 3;
      break;
    case sentencepiece_kind::camembert:
      for (const auto* text : {"<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>"}) add(text, 0);
      add("<unk>NOTUSED", -100);
      taken = 1;
      break;
    case sentencepiece_kind::deberta:
      unk_id = file.unk_id;
      break;
  }
  const std::size_t offset = vocabulary.size() - taken;
  for (std::size_t i = taken; i < file.pieces.size(); ++i) add(file.pieces[i].text, file.pieces[i].score);
  for (std::size_t i = 0; i < file.pieces.size(); ++i) {
    const auto& piece = file.pieces[i];
    if (piece.type != 3 && piece.type != 4) continue;
    if (i >= taken) mention(piece.text, i + offset, piece.type == 3);
  }
  if (kind == sentencepiece_kind::deberta) {
    std::uint64_t beyond = file.pieces.size();
    for (const auto* text : {"[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"}) {
      const auto found = std::ranges::find(file.pieces, text, &detail::sentencepiece_file::piece::text);
      const auto id = found == file.pieces.end() ? beyond++ : static_cast<std::uint64_t>(found - file.pieces.begin());
      mention(text, id, true, false, text == std::string_view("[UNK]"));
    }
  } else {
    const bool camembert = kind == sentencepiece_kind::camembert;
    for (std::uint64_t id = 0; id < 4; ++id) mention(vocabulary[id][0], id, true);
    if (camembert) mention("<unk>NOTUSED", 4, true);
    mention("<mask>", vocabulary.size(), true, true, !camembert);
    add("<mask>", 0);
  }
  const json metaspace{{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "always"}, {"split", true}};
  json normalizers = json::array(), cutters = json::array();
  const auto replace_spaces = [&](const char* by) {
    normalizers.push_back({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", by}});
  };
  const auto map_characters = [&] {
    if (file.character_map.empty()) return;
    normalizers.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", detail::to_base64(file.character_map)}});
  };
  if (kind == sentencepiece_kind::deberta) {
    if (lower_case) normalizers.push_back({{"type", "Lowercase"}});
    normalizers.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    map_characters();
    replace_spaces(" ");
    if (split_by_punct) cutters.push_back({{"type", "Punctuation"}, {"behavior", "Isolated"}});
  } else {
    map_characters();
    normalizers.push_back({{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}});
    replace_spaces("\u2581");
  }
  cutters.push_back(metaspace);
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", cutters}}},
          {"model", {{"type", "Unigram"}, {"unk_id", unk_id}, {"vocab", std::move(vocabulary)}, {"byte_fallback", false}}}};
}

}  // namespace graft
