#pragma once
// Text that came from elsewhere (file names, labels, JSON values), made fit for a terminal, a table or a message.

#include <utf8proc.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace graft {

namespace detail {

/// Whether C moves the cursor, changes colors, breaks a line, turns the direction of writing, or is a byte-order mark.
bool is_control(utf8proc_int32_t c);

}  // namespace detail

/// TEXT as it can stand in one line: control characters and bytes that are not UTF-8 are written as `\n`, `\x1b` or `\u202e`; the rest
/// stays as it is. Of more than LIMIT bytes the middle is left out: "aaa...zzz".
std::string printable(std::string_view text, std::size_t limit = 300);

/// The beginning and end of TEXT, printable, in quotation marks.
std::string in_quotes(std::string_view text);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/printable-inl.hpp"  // IWYU pragma: export
#endif
