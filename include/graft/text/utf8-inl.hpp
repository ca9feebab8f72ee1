#pragma once
// Bodies of graft/text/utf8.hpp.

#include <array>

#include "graft/core/compiled.hpp"
#include "graft/text/utf8.hpp"

namespace graft {

GRAFT_INLINE encoding_error::encoding_error(std::uint64_t offset)
    : error("text is not valid UTF-8 at byte " + std::to_string(offset) + " (counted from 0); convert it to UTF-8"), offset_(offset) {}

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

GRAFT_INLINE code_point code_point_at(std::string_view text, std::size_t at) {
  if (is_ascii(text[at])) return {text[at], 1};
  std::int32_t value = 0;
  const auto bytes =
      utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()) + at, static_cast<utf8proc_ssize_t>(text.size() - at), &value);
  return {value, bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

GRAFT_INLINE void append_code_point(std::string& text, std::int32_t value) {
  if (value < 0x80) {
    text += static_cast<char>(value);
    return;
  }
  std::array<std::uint8_t, 4> bytes;
  const auto count = utf8proc_encode_char(value, bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
}

GRAFT_INLINE bool is_stripped(std::int32_t value) { return is_white_space(value) || (value >= 0x1c && value <= 0x1f); }

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE void require_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto bytes = detail::code_point_at(text, at).bytes;
    if (bytes == 0) throw encoding_error(at);
    at += bytes;
  }
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
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    if (!removed(detail::code_point_at(text, last).value)) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

GRAFT_INLINE std::string_view strip(std::string_view text) { return strip_right(strip_left(text)); }

}  // namespace graft
