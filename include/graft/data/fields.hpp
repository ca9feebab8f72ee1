#pragma once
// The fields that a row may have, in a .jsonl as in the header of a .tsv: those that are used, those that are passed over, and what other
// loaders call them. Every other one is refused, so that nothing in a row is lost without a word.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

namespace detail {

inline constexpr std::array text_fields{"text_a", "text_b", "label", "adapter"};
inline constexpr std::array word_fields{"tokens", "tags", "ner_tags"};
inline constexpr std::array span_fields{"spans", "entities"};
inline constexpr std::array id_fields{"input_ids", "attention_mask", "token_type_ids"};
/// In lower case; they number or name a row, or follow from `input_ids`.
inline constexpr std::array passed_over_fields{"id",
                                               "idx",
                                               "index",
                                               "guid",
                                               "uid",
                                               "uuid",
                                               "pairid",
                                               "promptid",
                                               "pair_id",
                                               "prompt_id",
                                               "unnamed: 0",
                                               "__index_level_0__",
                                               "special_tokens_mask"};

/// What a name of another loader, in lower case, stands for here.
struct other_name {
  const char* name;
  const char* ours;  // "text": one of the two, which depends on the task
};
inline constexpr other_name other_names[] = {
    {"premise", "text_a"},
    {"sentence1", "text_a"},
    {"question1", "text_a"},
    {"text1", "text_a"},
    {"#1 string", "text_a"},
    {"hypothesis", "text_b"},
    {"sentence2", "text_b"},
    {"question2", "text_b"},
    {"text2", "text_b"},
    {"#2 string", "text_b"},
    {"text_pair", "text_b"},
    {"sentence", "text"},
    {"question", "text"},
    {"text", "text"},
    {"labels", "label"},
    {"gold_label", "label"},
    {"is_duplicate", "label"},
    {"quality", "label"},
    {"score", "label"},
    {"target", "label"},
    {"class", "label"},
    {"label_ids", "label"},
    {"segment_ids", "token_type_ids"},
    {"input_mask", "attention_mask"},
};

template <class Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool is_passed_over(std::string_view field);

/// What FIELD, another loader's, stands for: "text_a", "text", ...; "" if unknown.
std::string meaning_of(std::string_view field);

/// "; it holds U+200B, which cannot be seen", if TEXT holds a character of that kind that `printable` leaves; "" else.
std::string unseen_character(std::string_view text);

/// Why FIELDS, which are not known, are refused: "has a field "premise" (here: text_a) ...", and what is known in their place.
std::string refused_fields(const std::vector<std::string>& fields);

}  // namespace detail

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/fields-inl.hpp"  // IWYU pragma: export
#endif
