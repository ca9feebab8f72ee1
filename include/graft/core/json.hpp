#pragma once
// JSON from files, with errors that name the file, the place and the field.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json_fwd.hpp"
#include "graft/core/printable.hpp"

namespace graft {

namespace detail {

/// Copies and prints of a JSON value go as deep as it is nested; no file that graft reads comes near this depth.
inline constexpr int deepest_json = 100;

/// Whether VALUE is a T as it stands: an integer type takes neither fractions nor what is out of its range, which get() would bend.
template <class T, class Json>
bool holds(const Json& value) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    if (value.is_number_unsigned()) return std::in_range<T>(value.template get<std::uint64_t>());
    return value.is_number_integer() && std::in_range<T>(value.template get<std::int64_t>());
  }
  return true;
}

}  // namespace detail

/// VALUE as it can stand in a message: in one line, without control characters, and of a long one the beginning and the end.
template <class Json>
std::string shown(const Json& value, std::size_t limit = 100);

/// Parses TEXT, which came from PATH (named in errors only), and is its line LINE if that is not 0. With TWICE the last of two members of
/// one name counts, and *TWICE becomes the first such name, quoted.
/// @throws format_error  with the byte, or the line and its column, at which the text stops being JSON, and why; or it is nested too
///                       deeply, holds a number beyond a double, or an object names a member twice
template <class Json = json>
Json parse_json(std::string_view text, const std::string& path, std::uint64_t line = 0, std::string* twice = nullptr);

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
    if (detail::holds<T>(*found)) return found->template get<T>();
  } catch (const nlohmann::detail::exception&) {  // refused below
  }
  throw format_error(path, "\"" + field + "\" is " + shown(*found) + ", a value of another type was expected");
}

/// As `required`, but FALLBACK when the member is absent or null.
template <class T, class Json>
T optional(const Json& object, const std::string& field, const std::string& path, T fallback) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return fallback;
  return required<T>(object, field, path);
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/json-inl.hpp"  // IWYU pragma: export
#endif
