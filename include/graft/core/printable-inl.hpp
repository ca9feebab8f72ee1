#pragma once
// Bodies of graft/core/printable.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/utf8.hpp"

namespace graft::detail {

GRAFT_INLINE bool is_control(utf8proc_int32_t c) {
  const auto category = utf8proc_category(c);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP || c == 0xFEFF ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/// "\\x1b", "\\u202e"
GRAFT_INLINE std::string escape_of(utf8proc_int32_t c, bool is_byte) {
  if (!is_byte && c == '\n') return "\\n";
  if (!is_byte && c == '\r') return "\\r";
  if (!is_byte && c == '\t') return "\\t";
  static constexpr char digits[] = "0123456789abcdef";
  const bool two_digits = is_byte || c < 0x80;
  std::string out = two_digits ? "\\x" : "\\u";
  for (int nibble = two_digits ? 1 : 3; nibble >= 0; --nibble) out += digits[(c >> (4 * nibble)) & 15];
  return out;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::string printable(std::string_view text, std::size_t limit) {
  if (text.size() > limit) {
    std::size_t head = limit / 2;
    std::size_t tail = text.size() - limit / 2;
    for (int i = 0; i < 3 && head > 0 && is_continuation_byte(text[head]); ++i) --head;
    for (int i = 0; i < 3 && tail < text.size() && is_continuation_byte(text[tail]); ++i) ++tail;
    return printable(text.substr(0, head), head) + "..." + printable(text.substr(tail), text.size() - tail);
  }
  std::string out;
  detail::for_each_code_point(text, [&](std::int32_t c, std::string_view bytes) {
    if (c < 0) {
      out += detail::escape_of(static_cast<unsigned char>(bytes[0]), true);
    } else if (detail::is_control(c)) {
      out += detail::escape_of(c, false);
    } else {
      out += bytes;
    }
  });
  return out;
}

GRAFT_INLINE std::string in_quotes(std::string_view text) { return '"' + printable(text, 60) + '"'; }

}  // namespace graft
