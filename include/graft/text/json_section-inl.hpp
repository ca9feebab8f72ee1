#pragma once
// Bodies of graft/text/json_section.hpp.

#include <algorithm>

#include "graft/core/compiled.hpp"
#include "graft/core/text_list.hpp"
#include "graft/text/json_section.hpp"

namespace graft::detail {

GRAFT_INLINE json_section json_section::at(const std::string& field) const {
  static const json none;
  const auto found = value.find(field);
  return {found == value.end() ? none : *found, where + ": \"" + field + "\""};
}

GRAFT_INLINE void json_section::expect(const std::string& field, const std::vector<json>& values) const {
  const json& found = at(field).value;
  if (std::ranges::find(values, found) != values.end()) return;
  const std::string wanted = listed(
      values, [](const json& one) { return shown(one); }, " or ");
  // What may be long is named by its type.
  const std::string short_form = !found.is_structured()   ? shown(found)
                                 : found.contains("type") ? "of type " + shown(found["type"])
                                                          : "an " + std::string(found.type_name());
  throw format_error(where, "\"" + field + "\" is " + short_form + ", graft takes " + wanted + " only");
}

GRAFT_INLINE void json_section::expect_only(const std::string& type, const std::vector<std::string>& known) const {
  if (!value.is_object()) throw format_error(where, "is no object, graft takes one of type \"" + type + "\" only");
  expect("type", {type});
  for (const auto& [field, unused] : value.items()) {
    if (field != "type" && std::ranges::find(known, field) == known.end()) {
      throw format_error(where, "has a \"" + field + "\", which graft does not know");
    }
  }
}

}  // namespace graft::detail
