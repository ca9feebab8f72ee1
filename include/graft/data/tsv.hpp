#pragma once
// Tab-separated rows. There is no quoting: a `"` is text like any other character.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/data/lines.hpp"

namespace graft {

/// One line, without any `\r` at its end, cut at its tabs; there is always at least one field. The views live until the next row is read.
struct tsv_row {
  std::uint64_t line = 0;
  std::vector<std::string_view> fields;
};

/// Rows one after the other; a header is a row like any other.
class tsv_reader {
 public:
  explicit tsv_reader(line_reader lines) : rows_(std::move(lines)) {}

  /// @throws format_error  as row_reader; a line that holds nothing but tabs and spaces, a field that begins with a byte-order mark
  bool next(tsv_row& row);
  /// As of line_reader.
  bool ready() { return rows_.ready(); }
  bool failed() const { return rows_.failed(); }
  const std::string& path() const { return rows_.path(); }

 private:
  row_reader rows_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/tsv-inl.hpp"  // IWYU pragma: export
#endif
