#pragma once
// Bodies of graft/data/jsonl.hpp.

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/data/fields.hpp"
#include "graft/data/jsonl.hpp"
#include "graft/data/tags.hpp"

namespace graft {

GRAFT_INLINE std::vector<std::int32_t> id_list(const json& list, const std::string& name, const std::string& where) {
  if (!list.is_array() || list.empty()) throw format_error(where, "\"" + name + "\" is no list of token ids with at least one entry");
  std::vector<std::int32_t> ids;
  for (const json& id : list) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max()) {
      throw format_error(where, "\"" + name + "\" holds " + shown(id) + ", a token id was expected");
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

}  // namespace graft

namespace graft::detail {

/// The real tokens of a row of COUNT ids, from the first to behind the last, as "attention_mask" gives them: 1 for each of them, 0 for
/// padding before and behind.
/// @throws format_error  another number of entries, others than 0 and 1, no 1, or a 0 between two of them
GRAFT_INLINE std::pair<std::size_t, std::size_t> real_tokens(const json& mask, std::size_t count, const std::string& where) {
  const auto refuse = [&](const std::string& what) { return format_error(where, "\"attention_mask\" " + what); };
  if (!mask.is_array()) throw refuse("is " + shown(mask) + ", a list of 0 and 1 was expected");
  if (mask.size() != count) {
    throw refuse("has " + std::to_string(mask.size()) + " entries, \"input_ids\" " + std::to_string(count) + ": as many were expected");
  }
  std::size_t first = count, behind = 0, ones = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const json& entry = mask[i];
    const bool one = entry == 1 || entry == true;
    if (!one && entry != 0 && entry != false) throw refuse("holds " + shown(entry) + ", 0 or 1 was expected");
    if (!one) continue;
    if (ones == 0) first = i;
    behind = i + 1;
    ++ones;
  }
  if (ones == 0) throw refuse("holds no 1: the row has no token");
  if (ones != behind - first) throw refuse("has a 0 between two 1: padding was expected before and behind the tokens alone");
  return {first, behind};
}

/// The labels in LIST, with commas between.
/// @throws format_error  as label_text, or one holds a comma
GRAFT_INLINE std::string joined_labels(const json& list, const std::string& where) {
  std::string all;
  for (const json& one : list) {
    const std::string label = label_text(one, where);
    if (label.empty() || label.find(',') != label.npos) {
      throw format_error(where, "label " + shown(one) + " in a list is empty or holds a comma, which stands between labels here");
    }
    add_to_list(all, label, ",");
  }
  return all;
}

/// The spans of TEXT in LIST, a row's member NAME.
/// @throws format_error  no list of objects with a label and, in characters of TEXT, start and end; or another text is said to stand there
GRAFT_INLINE std::vector<labeled_span> labeled_spans(const json& list, const std::string& name, const std::string& text,
                                                     const std::string& where) {
  if (!list.is_array()) throw format_error(where, "\"" + name + "\" is " + shown(list) + ", a list of spans was expected");
  const code_points characters(text);
  const auto count = static_cast<std::int32_t>(characters.values.size());
  std::vector<labeled_span> spans;
  for (const json& one : list) {
    const auto refuse = [&](const std::string& what) {
      return format_error(where, "\"" + name + "\", number " + std::to_string(spans.size() + 1) + ", " + what);
    };
    if (!one.is_object()) throw refuse("is " + shown(one) + R"(, as {"start": 0, "end": 4, "label": "PER"} was expected)");
    for (const auto& [field, value] : one.items()) {
      if (is_among(std::array{"label", "start", "end", "text", "score", "id", "token_start", "token_end"}, field)) continue;
      throw refuse("has \"" + printable(field, 60) + "\": start, end and label were expected");
    }
    labeled_span span;
    const json label = one.value("label", json());
    if (!label.is_string() || label.empty() || label == "") throw refuse("has the label " + shown(label) + ", a name was expected");
    span.label = label.get<std::string>();
    const auto offset = [&](const char* field, std::int32_t least, std::int32_t most) {
      const json value = one.value(field, json());
      if (value.is_number_integer() && value >= least && value <= most) return value.get<std::int32_t>();
      throw refuse("has the " + std::string(field) + " " + shown(value) + ", a whole number from " + std::to_string(least) + " to " +
                   std::to_string(most) + " was expected: characters (code points) of the text, from 0");
    };
    if (count == 0) throw refuse("is one of a text without characters");
    span.begin = offset("start", 0, count - 1);
    span.end = offset("end", span.begin + 1, count);
    const std::string there(characters.part({span.begin, span.end}));
    if (const auto said = one.find("text"); said != one.end() && *said != there) {
      throw refuse("has the text " + shown(*said) + ", where " + shown(json(there)) +
                   " stands: start and end count characters (code points) of the text, from 0, and the end is behind the last");
    }
    spans.push_back(std::move(span));
  }
  return spans;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE example parse_jsonl_row(std::string_view text, const std::string& path, std::uint64_t line) {
  const std::string where = path + ":" + std::to_string(line);
  const std::string_view start = text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
  if (start == "{" || start == "[" || start == "[{") {
    throw format_error(where, "opens a JSON value that goes on in the next line; one whole object a line was expected (jq -c makes them)");
  }
  const json row = parse_json(text, path, line);
  if (row.is_array())
    throw format_error(where, "holds a JSON array, an object was expected: one object a line (jq -c '.[]' makes them of an array)");
  if (!row.is_object()) throw format_error(where, "holds a JSON " + std::string(row.type_name()) + ", an object was expected");
  const auto given = [&](const char* name) {
    const auto found = row.find(name);
    return found == row.end() || found->is_null() ? nullptr : &*found;
  };
  const json* const ids = given("input_ids");
  const json* const words = given("tokens");
  const json* const spans = given("spans") != nullptr ? given("spans") : given("entities");
  std::vector<std::string> unknown;
  for (const auto& [name, value] : row.items()) {
    if (detail::is_among(detail::text_fields, name) || detail::is_among(detail::id_fields, name) || detail::is_passed_over(name)) continue;
    if (detail::is_among(detail::word_fields, name) || detail::is_among(detail::span_fields, name)) continue;
    if ((words != nullptr && (name == "pos_tags" || name == "chunk_tags")) || (spans != nullptr && name == "text")) continue;
    unknown.push_back(name);
  }
  if (!unknown.empty()) throw format_error(where, detail::refused_fields(unknown));
  example result;
  result.line = line;
  result.adapter = optional<std::string>(row, "adapter", where, "");
  if (words != nullptr) {
    for (const char* name : {"text_a", "text_b", "input_ids", "label", "spans", "entities"}) {
      if (given(name) != nullptr)
        throw format_error(where, "has both \"tokens\" and \"" + std::string(name) + "\", one of them was expected");
    }
    const bool texts = words->is_array() && std::all_of(words->begin(), words->end(), [](const json& word) { return word.is_string(); });
    if (!texts) throw format_error(where, "\"tokens\" is " + shown(*words) + ", a list of texts was expected, the words");
    result.words = words->get<std::vector<std::string>>();
    if (result.words.empty()) throw format_error(where, "\"tokens\" is empty, at least one word was expected");
    for (std::size_t w = 0; w < result.words.size(); ++w) {
      const std::string& word = result.words[w];
      if (!word.empty() && word.find_first_of("\t\n\r") == word.npos && !word.starts_with("-DOCSTART-")) continue;
      throw format_error(where, "has " + shown((*words)[w]) + " as word " + std::to_string(w + 1) +
                                    ": words in columns cannot be empty, hold a tab or line break, or begin with -DOCSTART-; take it out");
    }
    if (given("tags") != nullptr && given("ner_tags") != nullptr)
      throw format_error(where, "has both \"tags\" and \"ner_tags\", one of them was expected");
    const json* const tags = given("tags") != nullptr ? given("tags") : given("ner_tags");
    if (tags == nullptr) return result;
    if (!tags->is_array() || tags->size() != result.words.size()) {
      throw format_error(where, "\"tokens\" has " + std::to_string(result.words.size()) +
                                    " words, a list of as many tags was expected, not " +
                                    (tags->is_array() ? std::to_string(tags->size()) : shown(*tags)));
    }
    for (const json& tag : *tags) {
      const std::string name = label_text(tag, where);
      const bool number = tag.is_number() && name.find_first_not_of("-0123456789") == name.npos;
      if (result.tags.empty()) result.tags_are_numbers = number;
      if (number != result.tags_are_numbers || (tag.is_number() && !number)) {
        throw format_error(where, "has the tag " + shown(tag) + " for word " + std::to_string(result.tags.size() + 1) +
                                      (result.tags.empty() ? "" : ", and " + shown((*tags)[0]) + " for the first") +
                                      ": names alone were expected, or whole numbers of labels alone");
      }
      result.tags.push_back(name);
    }
    return result;
  }
  for (const char* name : detail::word_fields) {
    if (given(name) != nullptr) throw format_error(where, "has \"" + std::string(name) + "\" without \"tokens\", the words");
  }
  if (spans != nullptr) {
    const auto refuse_both = [&](const char* one, const char* other) {
      if (given(one) == nullptr || given(other) == nullptr) return;
      throw format_error(where, "has both \"" + std::string(one) + "\" and \"" + other + "\", one of them was expected");
    };
    const char* const name = given("spans") != nullptr ? "spans" : "entities";
    for (const char* other : {"entities", "text_b", "input_ids", "label"}) {
      if (std::string_view(other) != name) refuse_both(name, other);
    }
    refuse_both("text", "text_a");
    result.text_a = required<std::string>(row, given("text") != nullptr ? "text" : "text_a", where);
    result.spans = detail::labeled_spans(*spans, name, result.text_a, where);
    return result;
  }
  if (ids == nullptr) {
    result.text_a = required<std::string>(row, "text_a", where);
    if (given("text_b") != nullptr) result.text_b = required<std::string>(row, "text_b", where);
    for (const char* name : detail::id_fields) {
      if (given(name) != nullptr) throw format_error(where, "has \"" + std::string(name) + "\" without \"input_ids\"");
    }
  } else {
    for (const char* name : {"text_a", "text_b"}) {
      if (given(name) == nullptr) continue;
      throw format_error(where, "has both \"" + std::string(name) + "\" and \"input_ids\", one of them was expected");
    }
    result.input_ids = id_list(*ids, "input_ids", where);
    const std::size_t count = result.input_ids.size();
    if (const json* const types = given("token_type_ids")) {
      result.token_type_ids = id_list(*types, "token_type_ids", where);
      if (result.token_type_ids.size() != count) {
        throw format_error(where, "\"token_type_ids\" has " + std::to_string(types->size()) + " entries, \"input_ids\" " +
                                      std::to_string(count) + ": as many were expected");
      }
    }
    if (const json* const mask = given("attention_mask")) {
      const auto [first, behind] = detail::real_tokens(*mask, count, where);
      result.masked = true;
      for (auto* list : {&result.input_ids, &result.token_type_ids}) {
        if (list->empty()) continue;
        list->resize(behind);
        list->erase(list->begin(), list->begin() + static_cast<std::ptrdiff_t>(first));
      }
    }
  }
  if (const json* const label = given("label")) {
    result.label_is_list = label->is_array();
    result.label = result.label_is_list ? detail::joined_labels(*label, where) : label_text(*label, where);
  }
  return result;
}

GRAFT_INLINE bool next_jsonl_row(line_reader& lines, example& row) {
  for (std::string_view line; lines.next(line);) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    row = parse_jsonl_row(line, lines.path(), lines.number());
    return true;
  }
  return false;
}

GRAFT_INLINE std::vector<example> read_jsonl(const std::string& path) {
  line_reader lines(path);
  std::vector<example> rows;
  for (example row; next_jsonl_row(lines, row);) rows.push_back(std::move(row));
  return rows;
}

}  // namespace graft
