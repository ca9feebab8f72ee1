#pragma once
// Tags of words, and the entities that they mark.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/data/example.hpp"
#include "graft/text/text_layout.hpp"

namespace graft {

/// An entity: the words BEGIN .. END - 1 are of TYPE.
struct tagged_entity {
  std::string type;
  index begin = 0, end = 0;
  bool operator==(const tagged_entity&) const = default;
};

/// Whether LABELS mark entities: O, or B, I, E or S, alone or with the entity's type behind a "-", as in BIO (B- begins each entity, or
/// only one right behind another of its type) and BIOES (E- ends those of several words, S- is one word). At least one is not O.
bool marks_entities(std::span<const std::string> labels);

/// The entities that TAGS, of which marks_entities is true, mark in one text. What no scheme allows marks something, too: an I- or E-
/// without a beginning, or of another type than what is before it, begins an entity. Source: seqeval, metrics/sequence_labeling.py,
/// get_entities (mode=None); conlleval.   Tested: tests/data/tags_test.cpp
std::vector<tagged_entity> entities_of(std::span<const std::string> tags);

/// What TAGS mark: their entities; of tags that do not mark entities, as parts of speech, runs of one tag are, but for O.
std::vector<tagged_entity> marked_by(std::span<const std::string> tags, bool entities);

/// ROW, of PATH, as words with tags. Numbers become names of LABELS, if there are any and none of them is a number itself. A text becomes
/// the words of words_of; what its spans say, B- and I- of their labels, and O elsewhere. A span that begins or ends inside a word takes
/// the whole word, and counts in `widened`. Other rows stay as they are.
/// @throws format_error  with file and line: no word, or none in a span; two spans share a word; a number that LABELS does not have
void as_words(example& row, std::span<const std::string> labels, const std::string& path);

/// Where the words of TEXT stand, as people count them who tag words: what is between white space, but for the punctuation that it begins
/// or ends with, of which each character is a word. Code points, from 0.
/// @throws encoding_error  TEXT is not valid UTF-8
std::vector<text_span> words_of(std::string_view text);

namespace detail {

/// The code points of a text, and where in its bytes each stands.
struct code_points {
  /// @throws encoding_error  TEXT, which has to live as long, is not valid UTF-8
  explicit code_points(std::string_view text);
  /// The text of code points OF.
  std::string_view part(text_span of) const;

  std::string_view whole;
  std::vector<std::int32_t> values;
  std::vector<std::size_t> begins;  // one more than values
};

std::vector<text_span> words_of(const code_points& text);

}  // namespace detail

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/tags-inl.hpp"  // IWYU pragma: export
#endif
