#pragma once
// UTF-8 text, a code point or a line at a time.

#include <utf8proc.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace graft {

/// Whether BYTE, of UTF-8 text, begins no character.
inline bool is_continuation_byte(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

/// With a, ..., z for A, ..., Z.
inline char lower_ascii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
inline std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = lower_ascii(c);
  return lower;
}

}  // namespace graft

namespace graft::detail {

inline constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

struct code_point {
  std::int32_t value;  // -1: not valid UTF-8
  std::size_t bytes;   // 0 then
};

inline bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

/// The code point that starts at byte AT (< text.size()). Overlong forms and surrogates are not valid.
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

/// The first byte of TEXT where it is not valid UTF-8; npos: it is.
inline std::size_t invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = code_point_at(text, at).bytes;
    if (bytes == 0) return at;
    at += bytes;
  }
  return text.npos;
}

/// Calls VISIT(value, its bytes) for each code point of TEXT; for a byte that is not UTF-8 the value is -1.
template <class Visit>
void for_each_code_point(std::string_view text, Visit visit) {
  for (std::size_t at = 0; at < text.size();) {
    const auto [value, bytes] = code_point_at(text, at);
    const std::size_t used = bytes == 0 ? 1 : bytes;
    visit(value, text.substr(at, used));
    at += used;
  }
}

/// How many code points TEXT, valid UTF-8, has.
inline std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) count += !is_continuation_byte(byte);
  return count;
}

/// Calls VISIT(line number from 1, line without its \n or \r\n).
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(number, line);
  }
}

}  // namespace graft::detail
