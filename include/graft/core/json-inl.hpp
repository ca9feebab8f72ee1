#pragma once
// Bodies of graft/core/json.hpp.

#include <algorithm>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"

namespace graft::detail {

GRAFT_INLINE std::string why_no_json(std::string_view text, std::size_t at, const std::string& what) {
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

}  // namespace graft::detail
