#pragma once
// Bodies of graft/io/byte_reader.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/io/byte_reader.hpp"

namespace graft {

GRAFT_INLINE void byte_reader::seek(std::uint64_t position) {
  if (position > data_.size()) fail("points outside the data, at " + std::to_string(position));
  position_ = position;
}

GRAFT_INLINE std::span<const std::byte> byte_reader::bytes(std::uint64_t count) {
  if (count > data_.size() - position_) {
    fail("ends after " + std::to_string(data_.size() - position_) + " more bytes, " + std::to_string(count) +
         " were expected (cut short?)");
  }
  const auto part = data_.subspan(position_, count);
  position_ += count;
  return part;
}

GRAFT_INLINE std::string_view byte_reader::text(std::uint64_t length) { return as_text(bytes(length)); }

GRAFT_INLINE std::string_view byte_reader::line() {
  const auto rest = as_text(data_.subspan(position_));
  const auto end = rest.find('\n');
  if (end == rest.npos) fail("has no end of line (cut short?)");
  position_ += end + 1;
  return rest.substr(0, end);
}

GRAFT_INLINE void byte_reader::fail(const std::string& message) const { throw format_error::at_byte(path_, start_ + position_, message); }

GRAFT_INLINE std::string_view byte_reader::as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace graft
