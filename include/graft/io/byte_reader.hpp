#pragma once
// Reads little-endian fields one after the other from bytes that are not trusted.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace graft {

/// A position in DATA, which begins at byte START of the file PATH (both for errors only).
/// Every member function throws format_error, with the byte, when the data end too early.
class byte_reader {
 public:
  byte_reader(std::span<const std::byte> data, std::string path, std::uint64_t start = 0)
      : data_(data), path_(std::move(path)), start_(start) {}

  std::uint64_t position() const { return position_; }
  /// Goes on reading at POSITION, counted as `position` does.
  void seek(std::uint64_t position);

  /// The next COUNT bytes, where they lie.
  std::span<const std::byte> bytes(std::uint64_t count);

  /// The next number, little-endian.
  template <class T>
  T read() {
    T value;
    std::memcpy(&value, bytes(sizeof(T)).data(), sizeof(T));
    return value;
  }

  /// The next LENGTH bytes as text.
  std::string_view text(std::uint64_t length);

  /// Up to the next newline, which is skipped.
  std::string_view line();

  /// Throws a format_error that names file and position.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  static std::string_view as_text(std::span<const std::byte> bytes);

  std::span<const std::byte> data_;
  std::string path_;
  std::uint64_t start_;
  std::uint64_t position_ = 0;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/byte_reader-inl.hpp"  // IWYU pragma: export
#endif
