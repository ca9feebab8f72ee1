#pragma once
// Bodies of graft/data/tags.hpp.

#include <algorithm>
#include <iterator>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/printable.hpp"
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

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE code_points::code_points(std::string_view text) : whole(text) {
  require_utf8(text);
  for_each_code_point(text, [&](std::int32_t value, std::string_view bytes) {
    values.push_back(value);
    begins.push_back(static_cast<std::size_t>(bytes.data() - text.data()));
  });
  begins.push_back(text.size());
}

GRAFT_INLINE std::string_view code_points::part(text_span of) const {
  const std::size_t begin = begins[static_cast<std::size_t>(of.begin)];
  return whole.substr(begin, begins[static_cast<std::size_t>(of.end)] - begin);
}

GRAFT_INLINE std::vector<text_span> words_of(const code_points& text) {
  std::vector<text_span> words;
  const auto count = static_cast<std::int32_t>(text.values.size());
  const auto at = [&](std::int32_t i) { return text.values[static_cast<std::size_t>(i)]; };
  for (std::int32_t begin = 0, end = 0; begin < count; begin = end) {
    end = begin + 1;
    if (is_white_space(at(begin))) continue;
    while (end < count && !is_white_space(at(end))) ++end;
    std::int32_t first = begin, last = end;
    for (; first < end && is_punctuation(at(first)); ++first) words.push_back({first, first + 1});
    while (last > first && is_punctuation(at(last - 1))) --last;
    if (last > first) words.push_back({first, last});
    for (; last < end; ++last) words.push_back({last, last + 1});
  }
  return words;
}

/// ROW's tags are names of LABELS from here on.
GRAFT_INLINE void name_tags(example& row, std::span<const std::string> labels, const std::string& path) {
  for (std::size_t w = 0; w < row.tags.size(); ++w) {
    std::string& tag = row.tags[w];
    const std::size_t number = tag.size() < 10 && tag[0] != '-' ? std::stoul(tag) : labels.size();
    if (number >= labels.size()) {
      throw format_error::at_line(path, row.line,
                                  "has the tag " + printable(tag, 60) + " for word " + std::to_string(w + 1) + ", a number from 0 to " +
                                      std::to_string(labels.size() - 1) + " was expected, of a label, or its name");
    }
    tag = labels[number];
  }
  row.tags_are_numbers = false;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::vector<text_span> words_of(std::string_view text) { return detail::words_of(detail::code_points(text)); }

GRAFT_INLINE void as_words(example& row, std::span<const std::string> labels, const std::string& path) {
  const auto is_number = [](const std::string& label) { return label.find_first_not_of("0123456789") == label.npos; };
  if (row.tags_are_numbers && !labels.empty() && std::ranges::none_of(labels, is_number)) detail::name_tags(row, labels, path);
  if (!row.words.empty() || !row.input_ids.empty() || row.text_b) return;
  const auto refuse = [&](const std::string& what) { throw format_error::at_line(path, row.line, what); };
  const detail::code_points text(row.text_a);
  const std::vector<text_span> word_spans = detail::words_of(text);
  if (word_spans.empty()) refuse("holds a text without words, at least one was expected");
  for (const text_span word : word_spans) row.words.emplace_back(text.part(word));
  if (row.spans) row.tags.assign(word_spans.size(), "O");
  for (const labeled_span& span : row.spans.value_or(std::vector<labeled_span>())) {
    const std::string said =
        "has " + printable(span.label, 60) + " at characters " + std::to_string(span.begin) + " to " + std::to_string(span.end);
    const auto first = std::ranges::find_if(word_spans, [&](text_span word) { return word.end > span.begin; });
    const auto behind = std::find_if(first, word_spans.end(), [&](text_span word) { return word.begin >= span.end; });
    if (first == behind) refuse(said + ", where no word stands");
    for (auto word = first; word != behind; ++word) {
      const auto w = static_cast<std::size_t>(word - word_spans.begin());
      if (row.tags[w] != "O") {
        refuse(said + ", and another span in its word \"" + printable(row.words[w], 60) +
               "\": each word gets one tag, spans that share none were expected");
      }
      row.tags[w] = (word == first ? "B-" : "I-") + span.label;
    }
    row.widened += first->begin < span.begin || std::prev(behind)->end > span.end ? 1 : 0;
  }
  row.spans.reset();
  row.text_a.clear();
}

}  // namespace graft
