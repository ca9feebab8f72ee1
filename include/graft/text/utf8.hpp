#pragma once
// UTF-8 text as the tokenizers need it: checked once, then walked a code point at a time. Unicode classes come from utf8proc.

#include <utf8proc.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "graft/core/error.hpp"

namespace graft {

/// A text is not valid UTF-8. `what()` names the byte; whoever knows file and line adds them.
class encoding_error : public error {
 public:
  explicit encoding_error(std::uint64_t offset)
      : error("text is not valid UTF-8 at byte " + std::to_string(offset) + " (counted from 0); convert it to UTF-8"), offset_(offset) {}
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  std::uint64_t offset_;
};

namespace detail {

inline bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

struct code_point {
  std::int32_t value;
  std::size_t bytes;  // 0: not valid UTF-8
};

/// The code point that starts at byte AT (< text.size()).
inline code_point code_point_at(std::string_view text, std::size_t at) {
  if (is_ascii(text[at])) return {text[at], 1};
  std::int32_t value = 0;
  const auto bytes =
      utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()) + at, static_cast<utf8proc_ssize_t>(text.size() - at), &value);
  return {value, bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

inline void append_code_point(std::string& text, std::int32_t value) {
  if (value < 0x80) {
    text += static_cast<char>(value);
    return;
  }
  std::array<std::uint8_t, 4> bytes;
  const auto count = utf8proc_encode_char(value, bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
}

/// Unicode's White_Space property, which is `\s` in a regular expression.
constexpr bool is_white_space(std::int32_t value) {
  if (value < 0x80) return value == ' ' || (value >= '\t' && value <= '\r');
  const auto category = utf8proc_category(value);
  return value == 0x85 || (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

/// What Python's str.strip() removes: White_Space and the four ASCII separators.
inline bool is_stripped(std::int32_t value) { return is_white_space(value) || (value >= 0x1c && value <= 0x1f); }

}  // namespace detail

/// @throws encoding_error  TEXT is not valid UTF-8 (overlong forms and surrogates are not)
inline void require_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto bytes = detail::code_point_at(text, at).bytes;
    if (bytes == 0) throw encoding_error(at);
    at += bytes;
  }
}

/// Valid UTF-8 without white space at its start, as Python's str.lstrip(), or without what REMOVED is true for.
inline std::string_view strip_left(std::string_view text, bool (*removed)(std::int32_t) = detail::is_stripped) {
  while (!text.empty()) {
    const auto first = detail::code_point_at(text, 0);
    if (!removed(first.value)) break;
    text.remove_prefix(first.bytes);
  }
  return text;
}

/// Valid UTF-8 without white space at its end, as Python's str.rstrip(), or without what REMOVED is true for.
inline std::string_view strip_right(std::string_view text, bool (*removed)(std::int32_t) = detail::is_stripped) {
  while (!text.empty()) {
    std::size_t last = text.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    if (!removed(detail::code_point_at(text, last).value)) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

/// Valid UTF-8 without white space at either end, as Python's str.strip().
inline std::string_view strip(std::string_view text) { return strip_right(strip_left(text)); }

}  // namespace graft
