#pragma once
// Bodies of graft/data/tags.hpp.

#include <algorithm>

#include "graft/core/compiled.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/tags.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft {

GRAFT_INLINE bool marks_entities(std::span<const std::string> labels) {
  const auto marks = [](const std::string& label) {
    return !label.empty() && std::string_view("BIES").find(label[0]) != std::string_view::npos && (label.size() == 1 || label[1] == '-');
  };
  const bool all = std::ranges::all_of(labels, [&](const std::string& label) { return label == "O" || marks(label); });
  return all && std::ranges::any_of(labels, marks);
}

GRAFT_INLINE std::vector<tagged_entity> entities_of(std::span<const std::string> tags) {
  std::vector<tagged_entity> found;
  char before = 'O';
  std::string_view type_before;
  index begin = 0;
  for (index i = 0; i <= std::ssize(tags); ++i) {
    const std::string_view tag = i < std::ssize(tags) ? std::string_view(tags[static_cast<std::size_t>(i)]) : "O";
    const char mark = tag[0];
    const std::string_view type = tag.size() > 2 ? tag.substr(2) : "_";
    const bool other = type != type_before;
    const bool inside = before == 'B' || before == 'I', goes_on = mark == 'I' || mark == 'E';
    if (before != 'O' && (other || !inside || !goes_on)) found.push_back({std::string(type_before), begin, i});
    if (mark != 'O' && (other || !inside || !goes_on)) begin = i;
    before = mark;
    type_before = type;
  }
  return found;
}

GRAFT_INLINE std::vector<tagged_entity> marked_by(std::span<const std::string> tags, bool entities) {
  if (entities) return entities_of(tags);
  std::vector<tagged_entity> runs;
  for (index i = 0; i < std::ssize(tags); ++i) {
    const std::string& tag = tags[static_cast<std::size_t>(i)];
    if (tag == "O") continue;
    if (!runs.empty() && runs.back().end == i && runs.back().type == tag) {
      runs.back().end = i + 1;
    } else {
      runs.push_back({tag, i, i + 1});
    }
  }
  return runs;
}

GRAFT_INLINE std::vector<text_span> words_of(std::string_view text) {
  require_utf8(text);
  std::vector<std::int32_t> values;
  detail::for_each_code_point(text, [&](std::int32_t value, std::string_view) { values.push_back(value); });
  std::vector<text_span> words;
  const auto count = static_cast<std::int32_t>(values.size());
  const auto at = [&](std::int32_t i) { return values[static_cast<std::size_t>(i)]; };
  for (std::int32_t begin = 0, end = 0; begin < count; begin = end) {
    end = begin + 1;
    if (detail::is_white_space(at(begin))) continue;
    while (end < count && !detail::is_white_space(at(end))) ++end;
    std::int32_t first = begin, last = end;
    for (; first < end && detail::is_punctuation(at(first)); ++first) words.push_back({first, first + 1});
    while (last > first && detail::is_punctuation(at(last - 1))) --last;
    if (last > first) words.push_back({first, last});
    for (; last < end; ++last) words.push_back({last, last + 1});
  }
  return words;
}

}  // namespace graft
