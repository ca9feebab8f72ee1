#pragma once
// Configurations of other programs: what graft would not compute as they say is refused, by name.

#include <map>
#include <set>
#include <string>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"

namespace graft {

/// Whether VALUE says "without": null, false, 0, "", [] or {}.
inline bool is_off(const json& value) {
  return value.is_null() || value.empty() || value == json(false) || value == json("") || (value.is_number() && value.get<double>() == 0);
}

/// Checks every member of OBJECT that is not HANDLED elsewhere: those of NEEDED have exactly that value, all others are off.
/// @throws format_error  naming the first one that is not so
inline void check_fields(const json& object, const std::map<std::string, json>& needed, const std::set<std::string>& handled,
                         const std::string& path) {
  for (const auto& [field, value] : object.items()) {
    if (handled.contains(field)) continue;
    const auto only = needed.find(field);
    if (only != needed.end() ? value == only->second : is_off(value)) continue;
    throw format_error(path, "\"" + field + "\" is " + shown(value) + ", which graft does not compute: " +
                                 (only != needed.end() ? shown(only->second) : "an adapter without it") + " was expected");
  }
}

}  // namespace graft
