#pragma once
// BERT's tokenizer: text -> words -> word pieces -> ids, from vocab.txt.

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/text/utf8.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft {

namespace detail {

/// NUL, U+FFFD and the categories C* but tab, line feed and carriage return: BERT drops them.
inline bool is_dropped(std::int32_t value) {
  if (value < 0x80) return (value < ' ' && value != '\t' && value != '\n' && value != '\r') || value == 0x7f;
  const auto category = utf8proc_category(value);
  return value == 0xfffd || category == UTF8PROC_CATEGORY_CN || (category >= UTF8PROC_CATEGORY_CC && category <= UTF8PROC_CATEGORY_CO);
}

/// All ASCII that is neither letter, digit, space nor control, and the categories P*.
inline bool is_punctuation(std::int32_t value) {
  if (value < 0x80) {
    return (value >= '!' && value <= '/') || (value >= ':' && value <= '@') || (value >= '[' && value <= '`') ||
           (value >= '{' && value <= '~');
  }
  const auto category = utf8proc_category(value);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

/// The ideographs that BERT makes words of their own (not kana, not Hangul).
inline bool is_ideograph(std::int32_t value) {
  constexpr std::array<std::pair<std::int32_t, std::int32_t>, 8> blocks{{{0x4e00, 0x9fff},
                                                                         {0x3400, 0x4dbf},
                                                                         {0x20000, 0x2a6df},
                                                                         {0x2a700, 0x2b73f},
                                                                         {0x2b740, 0x2b81f},
                                                                         {0x2b820, 0x2ceaf},
                                                                         {0xf900, 0xfaff},
                                                                         {0x2f800, 0x2fa1f}}};
  return value >= 0x3400 && std::ranges::any_of(blocks, [=](auto block) { return value >= block.first && value <= block.second; });
}

}  // namespace detail

/// Cleans TEXT, sets ideographs and punctuation apart as words, and cuts each word from its left into the longest pieces there are
/// (`##` marks one that continues a word). A word without such a cut, or of more than 100 characters, is one [UNK].
/// Lower-casing takes the accents off too: canonical decomposition without category Mn.
/// `encode` may be called from several threads at once.
/// Source: Devlin et al. 2019, its tokenization.py.   Tested: tests/text/wordpiece_test.cpp
class wordpiece {
 public:
  /// @throws format_error  PIECES lack [UNK]
  wordpiece(vocabulary pieces, bool lower_case)
      : vocabulary_(std::move(pieces)),
        continuations_(static_cast<std::size_t>(vocabulary_.size())),
        unk_id_(vocabulary_.require("[UNK]")),
        lower_case_(lower_case) {
    for (std::int32_t id = 0; id < vocabulary_.size(); ++id) {
      const std::string_view piece = vocabulary_.piece(id);
      longest_ = std::max(longest_, piece.size());
      if (piece.starts_with("##")) continuations_.insert(piece.substr(2), id);
    }
  }

  const vocabulary& pieces() const noexcept { return vocabulary_; }
  bool lower_case() const noexcept { return lower_case_; }

  /// Appends the ids of TEXT, which is valid UTF-8, to IDS.
  void encode(std::string_view text, std::vector<std::int32_t>& ids) const {
    std::string word;
    const auto end_word = [&, this] {
      if (!word.empty()) cut(word, ids);
      word.clear();
    };
    const auto append = [&](std::int32_t value) {
      if (!detail::is_punctuation(value)) {
        detail::append_code_point(word, value);
        return;
      }
      end_word();
      detail::append_code_point(word, value);
      end_word();
    };
    for (std::size_t at = 0; at < text.size();) {
      const auto [value, bytes] = detail::code_point_at(text, at);
      at += bytes;
      if (detail::is_dropped(value)) continue;
      if (detail::is_white_space(value)) {
        end_word();
        continue;
      }
      const bool alone = detail::is_ideograph(value);
      if (alone) end_word();
      if (lower_case_) {
        each_bare_letter(value, append);
      } else {
        append(value);
      }
      if (alone) end_word();
    }
    end_word();
  }

 private:
  /// Calls VISIT with each code point of VALUE's canonical decomposition, lower-cased, accents left out.
  template <class Visit>
  static void each_bare_letter(std::int32_t value, Visit visit) {
    if (value < 0x80) {
      visit(value >= 'A' && value <= 'Z' ? value + ('a' - 'A') : value);
      return;
    }
    std::array<std::int32_t, 8> parts;  // the longest canonical decomposition has 4
    int boundary = 0;
    const auto count = utf8proc_decompose_char(value, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      if (utf8proc_category(parts[i]) != UTF8PROC_CATEGORY_MN) visit(utf8proc_tolower(parts[i]));
    }
  }

  void cut(std::string_view word, std::vector<std::int32_t>& ids) const {
    constexpr std::ptrdiff_t most_characters = 100;
    const auto starts_character = [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; };
    const std::size_t before = ids.size();
    bool known = std::ranges::count_if(word, starts_character) <= most_characters;
    for (std::size_t begin = 0; known && begin < word.size();) {
      std::int32_t id = -1;
      std::size_t length = std::min(longest_, word.size() - begin);
      for (; length > 0; --length) {
        if (begin + length < word.size() && !starts_character(word[begin + length])) continue;
        const auto piece = word.substr(begin, length);
        id = begin == 0 ? vocabulary_.find(piece) : continuations_.find(piece);
        if (id >= 0) break;
      }
      known = id >= 0;
      ids.push_back(id);
      begin += length;
    }
    if (known) return;
    ids.resize(before);
    ids.push_back(unk_id_);
  }

  vocabulary vocabulary_;
  detail::string_table continuations_;  // without their ##
  std::int32_t unk_id_;
  bool lower_case_;
  std::size_t longest_ = 0;  // bytes
};

}  // namespace graft
