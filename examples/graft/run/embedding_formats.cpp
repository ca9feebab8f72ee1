#include "run/embedding_formats.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"

namespace graft::program {
namespace {

static_assert(std::endian::native == std::endian::little);  // as the array is written

constexpr std::string_view array_start("\x93NUMPY\x01\x00\x76\x00", 10);  // 118 bytes of header follow

std::string quoted_json(const std::string& text) { return json(text).dump(-1, ' ', false, json::error_handler_t::replace); }

float float_at(std::string_view record, std::size_t i) {
  float number;
  std::memcpy(&number, record.data() + 4 * i, 4);
  return number;
}

}  // namespace

std::string embedding_lines::row(const answer& a, std::uint64_t index) const {
  std::string line = "{\"index\":" + std::to_string(index);
  if (!a.error.empty()) {
    const std::string at_line = a.line != 0 ? "line " + std::to_string(a.line) + ": " : "";
    return line + ",\"error\":" + quoted_json(printable(at_line + a.error, 4000)) + "}\n";
  }
  if (several_) line += ",\"adapter\":" + quoted_json(a.adapter);
  line += ",\"embedding\":[";
  line.reserve(line.size() + 14 * a.embedding.size());
  for (std::size_t i = 0; i < a.embedding.size(); ++i) (line += i == 0 ? "" : ",") += float_text(a.embedding[i]);
  return line + "]}\n";
}

bool embedding_lines::is_row(std::string_view record, std::uint64_t index) const {
  return record.starts_with("{\"index\":" + std::to_string(index) + ",") && record.ends_with("}\n");
}

bool embedding_lines::is_error(std::string_view record) const {
  const std::size_t at = record.find(',');
  return at != record.npos && record.substr(at).starts_with(",\"error\":");
}

std::string embedding_array::header(std::uint64_t rows) const {
  std::string text(array_start);
  text += "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " + std::to_string(size_) + "), }";
  text.resize(127, ' ');
  return text + '\n';
}

std::string embedding_array::row(const answer& a, std::uint64_t) const {
  std::string bytes(4 * size_, '\0');
  for (std::size_t i = 0; i < size_; ++i) {
    const float number = a.error.empty() ? a.embedding[i] : std::numeric_limits<float>::quiet_NaN();
    std::memcpy(bytes.data() + 4 * i, &number, 4);
  }
  return bytes;
}

bool embedding_array::is_error(std::string_view record) const { return std::isnan(float_at(record, 0)); }

std::string embedding_array::header_like(std::string_view record) const {
  const std::string_view before = "'shape': (";
  const std::size_t at = record.find(before);
  std::uint64_t rows = 0;
  if (at != record.npos) std::from_chars(record.data() + at + before.size(), record.data() + record.size(), rows);
  return header(rows);
}

bool embedding_array::is_header(std::string_view record) const { return record == header_like(record); }

bool embedding_array::begins_header(std::string_view record) const { return header_like(record).starts_with(record); }

std::string embedding_array::shown(std::string_view record) const {
  if (record.size() != 4 * size_ || is_header(record)) {
    const std::string_view start = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    const std::size_t at = record.find(start), width = record.find(", ", at + start.size()), end = record.find("), }", width);
    if (at == record.npos || width == record.npos || end == record.npos) return printable(std::string(record.substr(0, 127)), 200);
    return "an array of rows of " + printable(std::string(record.substr(width + 2, end - width - 2)), 40) + " numbers";
  }
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, size_); ++i) text += float_text(float_at(record, i)) + ", ";
  return text + "...";
}

}  // namespace graft::program
