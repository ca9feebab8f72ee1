#pragma once
// BERT's tokenizer: text -> words -> word pieces -> ids, from vocab.txt or a tokenizer.json.

#include <utf8proc.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/text/aligned_text.hpp"
#include "graft/text/unicode_tables.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft {

namespace detail {

/// All ASCII that is neither letter, digit, space nor control, and the categories P*, as the tokenizers library has them.
constexpr bool is_punctuation(std::int32_t value) {
  if (value < 0x80) {
    return (value >= '!' && value <= '/') || (value >= ':' && value <= '@') || (value >= '[' && value <= '`') ||
           (value >= '{' && value <= '~');
  }
  const auto category = utf8proc_category(value);
  if (category < UTF8PROC_CATEGORY_PC || category > UTF8PROC_CATEGORY_PO) return value == 0x166d || value == 0x111c9;
  return !is_in(late_punctuation, value);
}

/// NUL, U+FFFD and the categories Cc, Cf, Cs, Co but tab, line feed and carriage return: BERT drops them. Cn, unassigned, comes apart.
/// ALL: those, too, that became such since Unicode 8.
bool is_dropped(std::int32_t value, bool all);

/// The ideographs that BERT makes words of their own (not kana, not Hangul). ALL: those, too, that BertNormalizer lacks.
bool is_ideograph(std::int32_t value, bool all);

enum class bert_kind : std::uint8_t { word, space, punctuation };

constexpr bert_kind bert_kind_of(std::int32_t value) {
  if (is_punctuation(value)) return bert_kind::punctuation;
  return is_white_space(value) ? bert_kind::space : bert_kind::word;
}

inline constexpr auto ascii_kinds_of_bert = [] {
  std::array<bert_kind, 128> kinds{};
  for (std::int32_t value = 0; value < 128; ++value) kinds[static_cast<std::size_t>(value)] = bert_kind_of(value);
  return kinds;
}();

}  // namespace detail

/// What a tokenizer's files may set; the defaults are those of bert-base-uncased.
struct wordpiece_settings {
  bool clean_text = true;  // control characters and U+FFFD go, all white space is a space
  bool drop_unassigned =
      true;  // clean_text takes code points without a meaning, too: BERT's first tokenizer does, the tokenizers library not
  bool handle_chinese_chars = true;     // ideographs are words of their own
  std::optional<bool> strip_accents{};  // canonical decomposition without category Mn; unset: as lower_case
  bool lower_case = true;
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";  // marks a piece that continues a word
  std::size_t max_input_chars_per_word = 100;
};

/// Normalizes a text, sets punctuation apart, and cuts each word from its left into the longest pieces there are. A word without such a
/// cut, or with too many characters, is one unk_token. Its functions may be called from several threads at once.
/// Source: Devlin et al. 2019, its tokenization.py; of the settings: BertNormalizer of the tokenizers library.
/// Tested: tests/text/wordpiece_test.cpp
class wordpiece {
 public:
  /// @throws format_error  PIECES lack the unk_token
  explicit wordpiece(vocabulary pieces, const wordpiece_settings& settings = {});

  const vocabulary& pieces() const noexcept { return vocabulary_; }

  /// TEXT, which is valid UTF-8, cleaned, with spaces around ideographs, without accents and in lower case, as the settings say. It lies in
  /// BUFFER.
  std::string_view normalize(std::string_view text, std::string& buffer) const;
  void normalize(detail::aligned_text& text) const;

  /// Appends the ids of TEXT, which is normalized already, to OUT.
  void encode(std::string_view text, detail::piece_list out) const;

  /// Appends the ids of WORD to OUT.
  void cut(std::string_view word, detail::piece_list out) const;

 private:
  static constexpr char dropped = static_cast<char>(0xff);  // no byte of UTF-8

  /// Appends what is left of VALUE, which is not ASCII. ORDERED becomes false where marks stay that may have to change places.
  void normalize(std::int32_t value, std::string& buffer, bool& ordered) const;

  vocabulary vocabulary_;
  detail::string_table continuations_;  // without their prefix
  std::int32_t unk_id_;
  wordpiece_settings settings_;
  bool strip_accents_;
  std::array<char, 128> ascii_;  // what normalizing makes of it
  std::size_t longest_ = 0;      // bytes
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/wordpiece-inl.hpp"  // IWYU pragma: export
#endif
