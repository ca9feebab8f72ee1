#pragma once
// What a tokenizer.json does to a text before it is cut: its `normalizer`.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "graft/text/aligned_text.hpp"
#include "graft/text/character_map.hpp"
#include "graft/text/unicode_forms.hpp"

namespace graft {

namespace detail {

struct json_section;

/// What `Replace` and `Split` look for.
struct text_pattern {
  enum class kind : std::uint8_t { string, spaces, white_space, gpt2_words };
  kind what = kind::string;
  std::string text;  // of a string

  /// The next match in TEXT[BEGIN, END); {END, END} where there is none. A word of GPT-2's pattern is one match, and words leave no gaps.
  byte_range next(std::string_view text, std::size_t begin, std::size_t end) const;
};

/// SECTION is {"String": ...} or {"Regex": ...}.
/// @throws format_error  a regular expression other than the few that tokenizers of encoders have
text_pattern read_pattern(const json_section& section);

struct normalizer_step {
  enum class kind : std::uint8_t { form, lower_case, strip_accents, replace, strip, prepend, nmt, map, clean, ideographs, drop_nonspacing };
  kind what;
  normal_form form = normal_form::nfc;
  text_pattern pattern{};
  std::string content{};           // of replace, prepend
  bool left = true, right = true;  // of strip
  bool unassigned = false;         // clean and ideographs are those of BERT's first tokenizer
  std::shared_ptr<const character_map> map{};
};

}  // namespace detail

/// Steps, one after the other.
/// Source: normalizers of the tokenizers library.   Tested: tests/text/normalizer_test.cpp
class normalizer {
 public:
  /// Changes nothing.
  normalizer() = default;

  /// SECTION: the `normalizer` of a tokenizer.json.
  /// @throws format_error  a type or setting that graft lacks
  explicit normalizer(const detail::json_section& section);

  /// These STEPS.
  explicit normalizer(std::vector<detail::normalizer_step> steps);

  bool empty() const noexcept { return steps_.empty(); }

  /// TEXT, valid UTF-8, after all steps. SPARE is overwritten.
  void apply(detail::aligned_text& text, detail::aligned_text& spare) const;

 private:
  void read(const detail::json_section& section, int depth);

  std::vector<detail::normalizer_step> steps_;
};

namespace detail {

/// The steps of a BertNormalizer.
std::vector<normalizer_step> bert_steps(bool clean_text, bool handle_chinese_chars, bool strip_accents, bool lower_case);

}  // namespace detail

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/normalizer-inl.hpp"  // IWYU pragma: export
#endif
