#pragma once
// JSON from files, with errors that name the file, the place and the field.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json_fwd.hpp"
#include "graft/core/printable.hpp"

namespace graft {

namespace detail {

/// Copies and prints of a JSON value go as deep as it is nested; no file that graft reads comes near this depth.
inline constexpr int deepest_json = 100;
/// An ordered object is searched from its start for each of its names; no file that graft reads in order comes near this number.
inline constexpr std::size_t most_ordered_members = 10'000;

/// What is wrong with TEXT at byte AT, where the parser stopped and said WHAT: "it holds NaN, which JSON does not have; ..."; "" if unknown
std::string why_no_json(std::string_view text, std::size_t at, const std::string& what);

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
std::string shown(const Json& value, std::size_t limit = 100) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), limit);
}

/// Parses TEXT, which came from PATH (named in errors only), and is its line LINE if that is not 0. With TWICE the last of two members of
/// one name counts, and *TWICE becomes the first such name, quoted.
/// @throws format_error  with the byte, or the line and its column, at which the text stops being JSON, and why; or it is nested too
///                       deeply, holds a number beyond a double, or an object names a member twice
template <class Json = json>
Json parse_json(std::string_view text, const std::string& path, std::uint64_t line = 0, std::string* twice = nullptr) {
  const auto refuse = [&](const std::string& message) -> format_error {
    return line > 0 ? format_error::at_line(path, line, message) : format_error(path, message);
  };
  std::vector<std::unordered_set<std::string>> members;  // of the objects that are open
  const auto watch = [&](int depth, typename Json::parse_event_t event, Json& value) {
    if (depth > detail::deepest_json) {
      throw refuse("is nested more than " + std::to_string(detail::deepest_json) + " levels deep, which no such file is");
    }
    if (event == Json::parse_event_t::object_start) members.emplace_back();
    if (event == Json::parse_event_t::object_end) members.pop_back();
    if (event != Json::parse_event_t::key) return true;
    if (!members.back().insert(value.template get<std::string>()).second) {
      if (twice == nullptr) throw refuse("names " + shown(value) + " twice in one object");
      if (twice->empty()) *twice = shown(value);
    }
    if constexpr (std::is_same_v<Json, ordered_json>) {
      if (members.back().size() > detail::most_ordered_members) {
        throw refuse("has an object of more than " + std::to_string(detail::most_ordered_members) + " members, which no such file has");
      }
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const nlohmann::detail::parse_error& failure) {
    const std::size_t at = failure.byte == 0 ? 0 : failure.byte - 1;
    const std::string reason = detail::why_no_json(text, at, failure.what());
    const std::string why = "is not valid JSON" + (reason.empty() ? " (cut short, or not a JSON file?)" : ": " + reason);
    if (line > 0) throw refuse("column " + std::to_string(at + 1) + ": " + why);
    throw format_error::at_byte(path, at, why);
  } catch (const nlohmann::detail::out_of_range&) {
    throw refuse("holds a number that is too large, one below 1.8e308 was expected");
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
