#pragma once
// Examples as JSON lines: {"text_a": ..., "text_b": ..., "label": ...} or {"input_ids": [...], "label": ...}.

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/json.hpp"
#include "graft/data/example.hpp"
#include "graft/data/lines.hpp"

namespace graft {

/// A label as text: strings as they are, integers in decimal, other numbers in their shortest form (1.0 gives "1").
/// @throws format_error  VALUE (found at WHERE) is neither a string nor a number
template <class Json>
std::string label_text(const Json& value, const std::string& where) {
  if (value.is_string()) return value.template get<std::string>();
  if (value.is_number_integer()) return value.dump();
  if (!value.is_number_float()) throw format_error(where, "label " + value.dump() + " is neither a string nor a number");
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value.template get<double>()).ptr};
}

/// The ids in the list LIST, the member NAME of a row.
/// @throws format_error  no list, an empty one, or something else than ids in it
inline std::vector<std::int32_t> id_list(const json& list, const std::string& name, const std::string& where) {
  if (!list.is_array() || list.empty()) throw format_error(where, "\"" + name + "\" is no list of token ids with at least one entry");
  std::vector<std::int32_t> ids;
  for (const json& id : list) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max()) {
      throw format_error(where, "\"" + name + "\" holds " + id.dump() + ", a token id was expected");
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

/// One line of a JSONL file. `label` and `adapter` may stand there too, and `token_type_ids` beside `input_ids`; other fields are ignored,
/// and null is as good as absent.
/// @param where  "PATH:LINE", for errors
/// @throws format_error  no JSON object, neither `text_a` nor `input_ids`, both, or a field of another type
inline example parse_jsonl_row(std::string_view line, const std::string& where) {
  const json row = parse_json(line, where);
  example result;
  const json ids = optional<json>(row, "input_ids", where, json());
  if (ids.is_null()) {
    result.text_a = required<std::string>(row, "text_a", where);
    if (row.contains("text_b") && !row["text_b"].is_null()) result.text_b = required<std::string>(row, "text_b", where);
  } else {
    if (row.contains("text_a")) throw format_error(where, "has both \"text_a\" and \"input_ids\", one of them was expected");
    result.input_ids = id_list(ids, "input_ids", where);
    const json types = optional<json>(row, "token_type_ids", where, json());
    if (!types.is_null()) result.token_type_ids = id_list(types, "token_type_ids", where);
    if (!types.is_null() && result.token_type_ids.size() != result.input_ids.size()) {
      throw format_error(where, "\"token_type_ids\" has " + std::to_string(types.size()) + " entries, \"input_ids\" " +
                                    std::to_string(ids.size()) + ": as many were expected");
    }
  }
  const json label = optional<json>(row, "label", where, json());
  if (!label.is_null()) result.label = label_text(label, where);
  result.adapter = optional<std::string>(row, "adapter", where, "");
  return result;
}

/// All rows of the JSONL file PATH; blank lines are skipped.
/// @throws format_error  as for_each_line and parse_jsonl_row, with file and line
inline std::vector<example> read_jsonl(const std::string& path) {
  const mapped_file file(path);
  std::vector<example> rows;
  for_each_line(file.text(), path, [&](std::uint64_t number, std::string_view line) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    rows.push_back(parse_jsonl_row(line, path + ":" + std::to_string(number)));
    rows.back().line = number;
  });
  return rows;
}

}  // namespace graft
