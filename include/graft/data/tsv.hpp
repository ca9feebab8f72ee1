#pragma once
// Tab-separated rows. There is no quoting: a `"` is text like any other character.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/data/lines.hpp"

namespace graft {

/// One line cut at its tabs; there is always at least one field. The views live as long as the text they were cut from.
struct tsv_row {
  std::uint64_t line = 0;
  std::vector<std::string_view> fields;
};

/// Calls `use(row)` for each line of TEXT, which came from PATH (named in errors only). A header is a row like any other.
/// @throws format_error  as for_each_line
template <class Use>
void for_each_tsv_row(std::string_view text, const std::string& path, Use&& use) {
  tsv_row row;
  for_each_line(text, path, [&](std::uint64_t number, std::string_view line) {
    row.line = number;
    row.fields.clear();
    for (std::size_t tab = line.find('\t'); tab != std::string_view::npos; tab = line.find('\t')) {
      row.fields.push_back(line.substr(0, tab));
      line.remove_prefix(tab + 1);
    }
    row.fields.push_back(line);
    use(static_cast<const tsv_row&>(row));
  });
}

}  // namespace graft
