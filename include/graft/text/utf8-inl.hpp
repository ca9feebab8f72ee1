#pragma once
// Bodies of graft/text/utf8.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/utf8.hpp"
#include "graft/text/utf8.hpp"

namespace graft {

GRAFT_INLINE encoding_error::encoding_error(std::uint64_t offset)
    : error("text is not valid UTF-8 at byte " + std::to_string(offset) + " (counted from 0); convert it to UTF-8"), offset_(offset) {}

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE bool is_stripped(std::int32_t value) { return is_white_space(value) || (value >= 0x1c && value <= 0x1f); }

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE void require_utf8(std::string_view text) {
  if (const auto at = detail::invalid_utf8(text); at != text.npos) throw encoding_error(at);
}

GRAFT_INLINE std::string_view strip_left(std::string_view text, bool (*removed)(std::int32_t)) {
  while (!text.empty()) {
    const auto first = detail::code_point_at(text, 0);
    if (!removed(first.value)) break;
    text.remove_prefix(first.bytes);
  }
  return text;
}

GRAFT_INLINE std::string_view strip_right(std::string_view text, bool (*removed)(std::int32_t)) {
  while (!text.empty()) {
    std::size_t last = text.size() - 1;
    while (last > 0 && is_continuation_byte(text[last])) --last;
    if (!removed(detail::code_point_at(text, last).value)) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

GRAFT_INLINE std::string_view strip(std::string_view text) { return strip_right(strip_left(text)); }

}  // namespace graft
