#pragma once
// Lists in a line of text: "a, b, c".

#include <functional>
#include <string>
#include <string_view>

namespace graft {

/// Adds ITEM to LIST, behind SEPARATOR unless it is the first.
inline void add_to_list(std::string& list, std::string_view item, std::string_view separator = ", ") {
  if (!list.empty()) list += separator;
  list += item;
}

/// TEXT of each of RANGE: "a, b, c".
template <class Range, class Text = std::identity>
std::string listed(const Range& range, Text&& text = {}, std::string_view separator = ", ") {
  std::string list;
  for (const auto& item : range) add_to_list(list, std::invoke(text, item), separator);
  return list;
}

}  // namespace graft
