#pragma once
// Text -> ids for either family of encoders; the rest of graft does not care which.

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/vocabulary.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft {

enum class tokenizer_family { roberta, bert };

/// A vocabulary with its way of cutting text, and the ids of the special tokens. `encode` may be called from several threads at once.
/// Tested: tests/text/tokenizer_test.cpp
class tokenizer {
 public:
  /// From vocab.json + merges.txt (RoBERTa), or vocab.txt (BERT). BERT text is lower-cased as tokenizer_config.json's `do_lower_case` says;
  /// where that is silent, as LOWER_CASE says; else if no piece but those in brackets has a letter A-Z.
  /// @throws format_error  the folder holds neither, a file is broken (see vocabulary, byte_level_bpe), or a special token is missing
  static tokenizer from_folder(const std::string& folder, std::optional<bool> lower_case = std::nullopt) {
    const auto path = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
    const auto has = [&](const char* name) { return std::filesystem::is_regular_file(path(name)); };
    if (has("vocab.json") && has("merges.txt")) return byte_level_bpe(vocabulary::from_json(path("vocab.json")), path("merges.txt"));
    if (!has("vocab.txt")) throw format_error(folder, "holds neither vocab.json + merges.txt nor vocab.txt");
    auto pieces = vocabulary::from_lines(path("vocab.txt"));
    if (has("tokenizer_config.json")) {
      const json config = read_json(path("tokenizer_config.json"));
      if (config.contains("do_lower_case")) lower_case = required<bool>(config, "do_lower_case", path("tokenizer_config.json"));
    }
    const bool lower = lower_case.value_or(!has_upper_case(pieces));
    return wordpiece(std::move(pieces), lower);
  }

  tokenizer(byte_level_bpe model)
      : tokenizer(std::move(model), {"<s>", "</s>", "<pad>", "<unk>", "<mask>"}) {}  // NOLINT: implicit on purpose
  tokenizer(wordpiece model)
      : tokenizer(std::move(model), {"[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"}) {}  // NOLINT: implicit on purpose

  /// The ids of TEXT; none is added at the ends, and TEXT is not stripped. A special token's string inside TEXT is that one id, and the
  /// white space on both sides of it goes, as in transformers 2.
  /// @throws encoding_error  TEXT is not valid UTF-8
  std::vector<std::int32_t> encode(std::string_view text) const {
    require_utf8(text);
    std::vector<std::int32_t> ids;
    std::size_t begin = 0;
    for (std::size_t at = 0; (at = text.find(specials_[0].text[0], at)) != std::string_view::npos;) {
      const auto special =
          std::ranges::find_if(specials_, [&](const auto& token) { return token.id >= 0 && text.substr(at).starts_with(token.text); });
      if (special == specials_.end()) {
        ++at;
        continue;
      }
      const auto before = strip_right(text.substr(begin, at - begin));
      append(begin == 0 ? before : strip_left(before), ids);
      ids.push_back(special->id);
      begin = at += special->text.size();
    }
    append(begin == 0 ? text : strip_left(text.substr(begin)), ids);
    return ids;
  }

  /// The ids of TEXT exactly as it stands: special tokens' strings are text like any other.
  /// @throws encoding_error  TEXT is not valid UTF-8
  std::vector<std::int32_t> encode_plain(std::string_view text) const {
    require_utf8(text);
    std::vector<std::int32_t> ids;
    append(text, ids);
    return ids;
  }

  /// The piece as the vocabulary writes it (RoBERTa: with stand-ins for bytes, so a leading space is U+0120).
  /// @throws error  ID is not in 0 .. size() - 1
  const std::string& token(std::int32_t id) const { return pieces().piece(id); }

  std::int32_t size() const { return pieces().size(); }
  tokenizer_family family() const {
    return std::holds_alternative<byte_level_bpe>(model_) ? tokenizer_family::roberta : tokenizer_family::bert;
  }

  std::int32_t cls_id() const { return specials_[0].id; }
  std::int32_t sep_id() const { return specials_[1].id; }
  std::int32_t pad_id() const { return specials_[2].id; }
  std::int32_t unk_id() const { return specials_[3].id; }   // -1: none
  std::int32_t mask_id() const { return specials_[4].id; }  // -1: none

 private:
  struct special_token {
    std::string text;
    std::int32_t id;
  };

  /// TEXTS: cls, sep, pad, unk, mask; all open with the same character.
  tokenizer(std::variant<byte_level_bpe, wordpiece> model, const std::array<const char*, 5>& texts) : model_(std::move(model)) {
    for (std::size_t i = 0; i < texts.size(); ++i) specials_[i] = {texts[i], i < 3 ? pieces().require(texts[i]) : pieces().find(texts[i])};
  }

  const vocabulary& pieces() const {
    return std::visit([](const auto& model) -> const vocabulary& { return model.pieces(); }, model_);
  }

  void append(std::string_view text, std::vector<std::int32_t>& ids) const {
    std::visit([&](const auto& model) { model.encode(text, ids); }, model_);
  }

  static bool has_upper_case(const vocabulary& pieces) {
    for (std::int32_t id = 0; id < pieces.size(); ++id) {
      const auto& piece = pieces.piece(id);
      if (!piece.starts_with('[') && std::ranges::any_of(piece, [](char byte) { return byte >= 'A' && byte <= 'Z'; })) return true;
    }
    return false;
  }

  std::variant<byte_level_bpe, wordpiece> model_;
  std::array<special_token, 5> specials_;
};

}  // namespace graft
