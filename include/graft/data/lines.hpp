#pragma once
// The lines of a text file as every reader of rows needs them: numbered, without BOM and line ends, checked to be UTF-8.

#include <utf8proc.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "graft/core/error.hpp"

namespace graft {

/// Throws unless TEXT, which is line LINE of PATH, is valid UTF-8.
/// @throws format_error  with the first offending byte, counted from 1 within the line
inline void check_utf8(std::string_view text, const std::string& path, std::uint64_t line) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    if (bytes[i] < 0x80) {
      ++i;
      continue;
    }
    utf8proc_int32_t unused = 0;
    const utf8proc_ssize_t length = utf8proc_iterate(bytes + i, static_cast<utf8proc_ssize_t>(text.size() - i), &unused);
    if (length <= 0) {
      throw format_error::at_line(path, line, "invalid UTF-8 at byte " + std::to_string(i + 1) + " of the line; convert the file to UTF-8");
    }
    i += static_cast<std::size_t>(length);
  }
}

/// Calls `use(line, text)` for each line of TEXT, which came from PATH (named in errors only). Lines count from 1 and end in \n or
/// \r\n, the last may lack it; a UTF-8 BOM at the start is left out. The views point into TEXT.
/// @throws format_error  TEXT is empty, or a line is not UTF-8
template <class Use>
void for_each_line(std::string_view text, const std::string& path, Use&& use) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.substr(0, byte_order_mark.size()) == byte_order_mark) text.remove_prefix(byte_order_mark.size());
  if (text.empty()) throw format_error(path, "is empty, at least one row was expected");
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    check_utf8(line, path, number);
    use(number, line);
  }
}

}  // namespace graft
