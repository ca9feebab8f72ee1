#pragma once
// Examples as JSON lines: {"text_a": ..., "text_b": ..., "label": ...} or {"input_ids": [...], "label": ...}, or {"tokens": [...],
// "tags": [...]}, or {"text_a": ..., "spans": [{"start": 0, "end": 4, "label": "PER"}]}.

#include <charconv>
#include <cstdint>
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
  if (!value.is_number_float()) throw format_error(where, "label " + shown(value) + " is neither a string nor a number");
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value.template get<double>()).ptr};
}

/// The ids in the list LIST, the member NAME of a row.
/// @throws format_error  no list, an empty one, or something else than ids in it
std::vector<std::int32_t> id_list(const json& list, const std::string& name, const std::string& where);

/// Line LINE of the JSONL file PATH. Members are used, or passed over, or refused: data/fields.hpp. null is as good as absent. Of
/// `input_ids` and `token_type_ids` what `attention_mask` calls padding is left out.
/// @throws format_error  no JSON object, a member that is not known, neither `text_a` nor `input_ids` nor `tokens`, several of them, or a
/// member of another type
example parse_jsonl_row(std::string_view text, const std::string& path, std::uint64_t line);

/// ROW becomes the next of LINES' rows, false when there is none. Blank lines are no rows.
/// @throws format_error  as line_reader and parse_jsonl_row, with file and line
bool next_jsonl_row(line_reader& lines, example& row);

/// All rows of the JSONL file PATH.
/// @throws format_error  as next_jsonl_row
std::vector<example> read_jsonl(const std::string& path);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/jsonl-inl.hpp"  // IWYU pragma: export
#endif
