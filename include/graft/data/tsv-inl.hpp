#pragma once
// Bodies of graft/data/tsv.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/tsv.hpp"

namespace graft {

GRAFT_INLINE bool tsv_reader::next(tsv_row& row) {
  std::string_view line;
  if (!rows_.next(line)) return false;
  row.line = rows_.number();
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_not_of(" \t") == std::string_view::npos) {
    throw format_error::at_line(path(), row.line, "holds nothing but tabs: an empty row of a spreadsheet? Take the line out");
  }
  row.fields.clear();
  for (std::size_t tab = line.find('\t'); tab != std::string_view::npos; tab = line.find('\t')) {
    row.fields.push_back(line.substr(0, tab));
    line.remove_prefix(tab + 1);
  }
  row.fields.push_back(line);
  for (const std::string_view field : row.fields) {
    if (!field.starts_with(detail::byte_order_mark)) continue;
    throw format_error::at_line(path(), row.line,
                                "has a text that begins with a byte-order mark (U+FEFF), which is invisible: take it out");
  }
  return true;
}

}  // namespace graft
