#pragma once
// How a tokenizer.json cuts a normalized text into words, each of which the model cuts on its own: its `pre_tokenizer`.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/text/aligned_text.hpp"
#include "graft/text/normalizer.hpp"

namespace graft {

namespace detail {

/// A text and the words that it is cut into, in their order. What lies between them is gone.
struct word_list {
  aligned_text text;
  std::vector<byte_range> words;  // none is empty
};

/// What becomes of a match.
enum class split_behavior : std::uint8_t { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct pre_tokenizer_step {
  enum class kind : std::uint8_t { white_space, punctuation, digits, pattern, words, metaspace, byte_level };
  kind what;
  split_behavior behavior = split_behavior::removed;
  bool invert = false;  // what does not match is the match
  text_pattern pattern{};
  std::string replacement{};  // of metaspace: what a space becomes
  enum class prepend : std::uint8_t { always, first, never } prepend_scheme = prepend::always;
  bool split = true;  // metaspace: at each replacement; byte_level: by GPT-2's pattern
};

}  // namespace detail

/// Steps, each of which cuts the words of the one before.
/// Source: pre_tokenizers of the tokenizers library.   Tested: tests/text/tokenizer_goldens_test.cpp
class pre_tokenizer {
 public:
  /// A text is one word.
  pre_tokenizer() = default;

  /// SECTION: the `pre_tokenizer` of a tokenizer.json.
  /// @throws format_error  a type or setting that graft lacks
  explicit pre_tokenizer(const detail::json_section& section);

  /// Cuts WORDS further. SPARE is overwritten.
  void apply(detail::word_list& words, detail::word_list& spare) const;

  /// Whether words depend on where the text stood, so that it has to be aligned.
  bool needs_alignment() const;

  /// Whether a space becomes a part of the word behind it, in place of a mark of its own.
  bool writes_spaces() const;

 private:
  void read(const detail::json_section& section, int depth);

  std::vector<detail::pre_tokenizer_step> steps_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/pre_tokenizer-inl.hpp"  // IWYU pragma: export
#endif
