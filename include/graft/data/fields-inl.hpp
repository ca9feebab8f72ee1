#pragma once
// Bodies of graft/data/fields.hpp.

#include <utf8proc.h>

#include <cstddef>
#include <cstdio>

#include "graft/core/compiled.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/fields.hpp"

namespace graft::detail {

GRAFT_INLINE bool is_passed_over(std::string_view field) { return is_among(passed_over_fields, lower_ascii(field)); }

GRAFT_INLINE std::string meaning_of(std::string_view field) {
  const std::string lower = lower_ascii(field);
  const auto found = std::find_if(std::begin(other_names), std::end(other_names), [&](const other_name& o) { return lower == o.name; });
  return found == std::end(other_names) ? "" : found->ours;
}

GRAFT_INLINE std::string unseen_character(std::string_view text) {
  std::string said;
  for_each_code_point(text, [&](std::int32_t c, std::string_view) {
    const bool space = c != ' ' && utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
    if (!said.empty() || !(space || utf8proc_category(c) == UTF8PROC_CATEGORY_CF)) return;
    char name[16];
    std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(c));
    said = std::string("; it holds ") + name + (space ? ", a space of another kind: take it out" : ", which cannot be seen: take it out");
  });
  return said;
}

GRAFT_INLINE std::string refused_fields(const std::vector<std::string>& fields) {
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
         "; rename or take out (known are text_a, text_b, label, adapter, tokens, tags, ner_tags, spans, entities, input_ids, "
         "attention_mask, token_type_ids; passed over are id, idx, index, guid, uid, uuid, pairID, promptID, special_tokens_mask, and "
         "beside tokens "
         "pos_tags, chunk_tags)" +
         unseen;
}

}  // namespace graft::detail
