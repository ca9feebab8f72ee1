#pragma once
// Reads little-endian fields one after the other from bytes that are not trusted.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "graft/core/error.hpp"

namespace graft {

/// A position in DATA, which begins at byte START of the file PATH (both for errors only).
/// Every member function throws format_error, with the byte, when the data end too early.
class byte_reader {
 public:
  byte_reader(std::span<const std::byte> data, std::string path, std::uint64_t start = 0)
      : data_(data), path_(std::move(path)), start_(start) {}

  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) {
    if (position > data_.size()) fail("points outside the data, at " + std::to_string(position));
    position_ = position;
  }

  std::span<const std::byte> bytes(std::uint64_t count) {
    if (count > data_.size() - position_) {
      fail("ends after " + std::to_string(data_.size() - position_) + " more bytes, " + std::to_string(count) +
           " were expected (cut short?)");
    }
    const auto part = data_.subspan(position_, count);
    position_ += count;
    return part;
  }

  template <class T>
  T read() {
    T value;
    std::memcpy(&value, bytes(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string_view text(std::uint64_t length) { return as_text(bytes(length)); }

  /// Up to the next newline, which is skipped.
  std::string_view line() {
    const auto rest = as_text(data_.subspan(position_));
    const auto end = rest.find('\n');
    if (end == rest.npos) fail("has no end of line (cut short?)");
    position_ += end + 1;
    return rest.substr(0, end);
  }

  [[noreturn]] void fail(const std::string& message) const { throw format_error::at_byte(path_, start_ + position_, message); }

 private:
  static std::string_view as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

  std::span<const std::byte> data_;
  std::string path_;
  std::uint64_t start_;
  std::uint64_t position_ = 0;
};

}  // namespace graft
