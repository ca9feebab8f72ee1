#pragma once
// JSON from files, with errors that name the file, the place and the field.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"

namespace graft {

using json = nlohmann::json;
using ordered_json = nlohmann::ordered_json;  // keeps the order of the keys in the file

/// Parses TEXT, which came from PATH (named in errors only).
/// @throws format_error  with the byte at which the text stops being JSON
template <class Json = json>
Json parse_json(std::string_view text, const std::string& path) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::detail::parse_error& failure) {
    throw format_error::at_byte(path, failure.byte == 0 ? 0 : failure.byte - 1, "is not valid JSON (cut short, or not a JSON file?)");
  }
}

/// Reads and parses the file PATH.
/// @throws format_error  missing, unreadable, or not JSON
template <class Json = json>
Json read_json(const std::string& path) {
  return parse_json<Json>(mapped_file(path).text(), path);
}

/// The member FIELD of OBJECT (which came from PATH) as a T.
/// @throws format_error  OBJECT is no object, has no FIELD, or FIELD has another type
template <class T, class Json>
T required(const Json& object, const std::string& field, const std::string& path) {
  if (!object.is_object()) throw format_error(path, "holds a JSON " + std::string(object.type_name()) + ", an object was expected");
  const auto found = object.find(field);
  if (found == object.end()) throw format_error(path, "has no \"" + field + "\"");
  try {
    return found->template get<T>();
  } catch (const nlohmann::detail::exception&) {
    throw format_error(path, "\"" + field + "\" is " + found->dump() + ", a value of another type was expected");
  }
}

/// As `required`, but FALLBACK when the member is absent or null.
template <class T, class Json>
T optional(const Json& object, const std::string& field, const std::string& path, T fallback) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return fallback;
  return required<T>(object, field, path);
}

}  // namespace graft
