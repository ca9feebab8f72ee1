#pragma once
// The fields that a row may have, in a .jsonl as in the header of a .tsv: those that are used, those that are passed over, and what other
// loaders call them. Every other one is refused, so that nothing in a row is lost without a word.

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/printable.hpp"

namespace graft {

namespace detail {

inline constexpr std::array text_fields{"text_a", "text_b", "label", "adapter"};
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

inline std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

template <class Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

inline bool is_passed_over(std::string_view field) { return is_among(passed_over_fields, lower_ascii(field)); }

/// What FIELD, another loader's, stands for: "text_a", "text", ...; "" if unknown.
inline std::string meaning_of(std::string_view field) {
  const std::string lower = lower_ascii(field);
  const auto found = std::find_if(std::begin(other_names), std::end(other_names), [&](const other_name& o) { return lower == o.name; });
  return found == std::end(other_names) ? "" : found->ours;
}

/// "; it holds U+200B, which cannot be seen", if TEXT holds a character of that kind that `printable` leaves; "" else.
inline std::string unseen_character(std::string_view text) {
  while (!text.empty()) {
    utf8proc_int32_t c = 0;
    const auto bytes =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &c);
    const bool space = c != ' ' && bytes > 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
    if (space || (bytes > 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_CF)) {
      char name[16];
      std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(c));
      return std::string("; it holds ") + name + (space ? ", a space of another kind: take it out" : ", which cannot be seen: take it out");
    }
    text.remove_prefix(bytes > 0 ? static_cast<std::size_t>(bytes) : 1);
  }
  return "";
}

/// Why FIELDS, which are not known, are refused: "has a field "premise" (here: text_a) ...", and what is known in their place.
inline std::string refused_fields(const std::vector<std::string>& fields) {
  constexpr std::size_t most = 6;
  const auto told = [](const std::string& field) {
    std::string text = '"' + printable(field, 60) + '"';
    const std::string meaning = meaning_of(field);
    if (!meaning.empty()) return text + " (here: " + (meaning == "text" ? "text_a or text_b" : meaning) + ")";
    std::string_view bare = field;  // " Label", "\"label\""
    while (!bare.empty() && (bare.front() == '"' || bare.front() == ' ')) bare.remove_prefix(1);
    while (!bare.empty() && (bare.back() == '"' || bare.back() == ' ')) bare.remove_suffix(1);
    const std::string near = lower_ascii(bare);
    if (is_among(text_fields, near) || is_among(id_fields, near)) return text + " (here: " + near + ", without quotes, spaces or capitals)";
    if (field == "position_ids") return text + " (counted here, from the first real token)";
    return text;
  };
  std::string list;
  std::string unseen;
  for (std::size_t i = 0; i < std::min(most, fields.size()); ++i) {
    list += (i == 0 ? "" : ", ") + told(fields[i]);
    if (unseen.empty()) unseen = unseen_character(fields[i]);
  }
  if (fields.size() > most) list += " and " + std::to_string(fields.size() - most) + " more";
  return std::string("has ") + (fields.size() == 1 ? "a field" : "fields") + " that graft does not know: " + list +
         "; rename or take out (known are text_a, text_b, label, adapter, input_ids, attention_mask, token_type_ids; passed over are id, "
         "idx, "
         "index, guid, uid, uuid, pairID, promptID, special_tokens_mask)" +
         unseen;
}

}  // namespace detail

}  // namespace graft
