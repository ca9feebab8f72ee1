#pragma once
// JSON from files, with errors that name the file, the place and the field.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
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

/// Where and why a text is no JSON.
struct no_json {
  std::string what;
  std::size_t at;
  bool too_large;  // a number is
};

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

namespace detail {

/// Takes what nlohmann's parser reads (its SAX interface) and makes a value of it, as its own does, but knows depths and members' names.
template <class Json>
class json_builder {
 public:
  json_builder(const std::function<void(const std::string&)>& refuse, std::string* twice) : refuse_(refuse), twice_(twice) {}

  Json value;

  bool null() { return add(nullptr); }
  bool boolean(bool b) { return add(b); }
  bool number_integer(typename Json::number_integer_t n) { return add(n); }
  bool number_unsigned(typename Json::number_unsigned_t n) { return add(n); }
  bool number_float(typename Json::number_float_t n, const std::string& /*text*/) { return add(n); }
  bool string(std::string& text) { return add(std::move(text)); }
  bool binary(typename Json::binary_t& /*bytes*/) { return false; }  // is none of text
  bool start_object(std::size_t /*members*/) { return open(Json::object()); }
  bool start_array(std::size_t /*elements*/) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    auto& members = open_.back()->template get_ref<typename Json::object_t&>();
    const auto [at, fresh] = members.emplace(name, nullptr);
    if (!fresh) {
      const std::string said = shown(Json(name));
      if (twice_ == nullptr) refuse_("names " + said + " twice in one object");
      if (twice_->empty()) *twice_ = said;
    }
    if constexpr (std::is_same_v<Json, ordered_json>) {
      if (members.size() > most_ordered_members) {
        refuse_("has an object of more than " + std::to_string(most_ordered_members) + " members, which no such file has");
      }
    }
    member_ = &at->second;
    return true;
  }
  [[noreturn]] bool parse_error(std::size_t byte, const std::string& /*token*/, const nlohmann::detail::exception& failure) {
    throw no_json{failure.what(), byte == 0 ? 0 : byte - 1, dynamic_cast<const nlohmann::detail::out_of_range*>(&failure) != nullptr};
  }

 private:
  bool add(Json&& one) {
    place(std::move(one));
    return true;
  }
  bool open(Json&& one) {
    if (std::ssize(open_) >= deepest_json) {
      refuse_("is nested more than " + std::to_string(deepest_json) + " levels deep, which no such file is");
    }
    open_.push_back(place(std::move(one)));
    return true;
  }
  bool close() {
    Json& ended = *open_.back();
    ended = Json(std::move(ended));  // tells its members where they are, which JSON_DIAGNOSTICS asks
    open_.pop_back();
    return true;
  }
  Json* place(Json&& one) {
    if (open_.empty()) return &(value = std::move(one));
    if (open_.back()->is_object()) return &(*member_ = std::move(one));
    return &open_.back()->template get_ref<typename Json::array_t&>().emplace_back(std::move(one));
  }

  const std::function<void(const std::string&)>& refuse_;
  std::string* twice_;
  std::vector<Json*> open_;  // objects and arrays whose end has not come
  Json* member_ = nullptr;   // where the value behind a name goes
};

}  // namespace detail

/// Parses TEXT, which came from PATH (named in errors only), and is its line LINE if that is not 0. With TWICE the last of two members of
/// one name counts, and *TWICE becomes the first such name, quoted.
/// @throws format_error  with the byte, or the line and its column, at which the text stops being JSON, and why; or it is nested too
///                       deeply, holds a number beyond a double, or an object names a member twice
template <class Json = json>
Json parse_json(std::string_view text, const std::string& path, std::uint64_t line = 0, std::string* twice = nullptr) {
  const std::function<void(const std::string&)> refuse = [&](const std::string& message) {
    throw line > 0 ? format_error::at_line(path, line, message) : format_error(path, message);
  };
  detail::json_builder<Json> builder(refuse, twice);
  try {
    Json::sax_parse(text, &builder);
  } catch (const detail::no_json& failure) {
    if (failure.too_large) refuse("holds a number that is too large, one below 1.8e308 was expected");
    const std::string reason = detail::why_no_json(text, failure.at, failure.what);
    const std::string why = "is not valid JSON" + (reason.empty() ? " (cut short, or not a JSON file?)" : ": " + reason);
    if (line > 0) refuse("column " + std::to_string(failure.at + 1) + ": " + why);
    throw format_error::at_byte(path, failure.at, why);
  }
  return std::move(builder.value);
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
