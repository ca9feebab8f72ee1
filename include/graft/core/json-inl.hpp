#pragma once
// Bodies of graft/core/json.hpp.

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"

namespace graft {

template <class Json>
std::string shown(const Json& value, std::size_t limit) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), limit);
}

namespace detail {

/// An ordered object is searched from its start for each of its names; no file that graft reads in order comes near this number.
inline constexpr std::size_t most_ordered_members = 10'000;

/// Where and why a text is no JSON.
struct no_json {
  std::string what;
  std::size_t at;
  bool too_large;  // a number is
};

/// What is wrong with TEXT at byte AT, where the parser stopped and said WHAT: "it holds NaN, which JSON does not have; ..."; "" if unknown
inline std::string why_no_json(std::string_view text, std::size_t at, const std::string& what) {
  const std::string_view rest = text.substr(std::min(at, text.size()));
  const auto says = [&](const char* part) { return what.find(part) != std::string::npos; };
  const std::size_t last = text.substr(0, at).find_last_not_of(" \t\r\n");
  if (says("surrogate")) return "it holds half of a surrogate pair (\\ud800 to \\udfff without its other half); write U+FFFD in its place";
  if (says("ill-formed UTF-8")) return "it holds a string that is not UTF-8; convert it to UTF-8";
  if (says("control character")) return "it holds a control character inside a string; write it as \\n, \\t or \\u and four digits";
  if (says("invalid string: forbidden") || says("after backslash") || says("invalid string: '\\u'")) {
    return "it holds a backslash that begins no escape; write \\\\ for a backslash";
  }
  if (rest.empty()) return "it ends in the middle of a value; was it cut short?";
  if (rest.starts_with("NaN") || rest.starts_with("Inf")) {
    return "it holds " + std::string(rest.substr(0, rest[0] == 'N' ? 3 : 8)) + ", which JSON does not have; write a number or null";
  }
  if (rest.starts_with("True") || rest.starts_with("False") || rest.starts_with("None")) {
    return "a value is written as Python prints it; json.dumps writes JSON (true, false, null)";
  }
  if (rest[0] == '\'') return "it has single quotes, JSON's are double ones (\")";
  if ((rest[0] == '}' || rest[0] == ']') && last < text.size() && text[last] == ',')
    return "it has a comma before a closing bracket, which JSON does not allow";
  if (says("expected end of input")) return "it goes on behind the end of its value";
  return "";
}

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

template <class Json>
Json parse_json(std::string_view text, const std::string& path, std::uint64_t line, std::string* twice) {
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

#if defined(GRAFT_COMPILED)  // whoever reads JSON need not compile its parser
template std::string shown(const json&, std::size_t);
template std::string shown(const ordered_json&, std::size_t);
template json parse_json(std::string_view, const std::string&, std::uint64_t, std::string*);
template ordered_json parse_json(std::string_view, const std::string&, std::uint64_t, std::string*);
#endif

}  // namespace graft
