#pragma once
// A hash for telling things apart.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace graft {

/// 64-bit FNV-1a, not for keeping secrets.   Source: Fowler, Noll, Vo; RFC 9923.
class fnv1a {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const auto byte : bytes) value_ = (value_ ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3;
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  std::uint64_t value() const { return value_; }
  /// The same as 16 hexadecimal digits.
  std::string text() const {
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[value_ >> shift & 15];
    return text;
  }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace graft
