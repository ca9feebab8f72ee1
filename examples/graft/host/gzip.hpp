#pragma once
// gzip's format: bytes unpacked as they come, and texts packed.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace graft::program {

/// Whether a text that begins with START, two bytes of it or more, is packed.
inline bool is_gzip(std::string_view start) { return start.starts_with("\x1F\x8B"); }

/// Unpacks the members of gzip data one after the other. Zeros behind the last of them, as tapes leave them, are nothing.
class gunzip {
 public:
  /// @param path  where the data comes from, for errors
  explicit gunzip(std::string path);

  /// Unpacks some of PACKED, whose beginning it takes away, to INTO: COUNT bytes at most. How many it gave; 0 where PACKED is empty then,
  /// or a member has ended.
  /// @throws format_error  the data is damaged, or something else
  std::size_t unpack(std::string_view& packed, char* into, std::size_t count);
  /// There is no more data.
  /// @throws format_error  it ends inside a member
  void finish() const;
  /// Whether a member has begun and not ended.
  bool inside() const { return inside_; }
  /// How many bytes of the data were taken.
  std::uint64_t offset() const { return offset_; }

 private:
  struct closer {
    void operator()(z_stream_s* z) const;
  };

  std::string path_;
  std::unique_ptr<z_stream_s, closer> z_;
  std::uint64_t offset_ = 0;
  bool begun_ = false, inside_ = false;
};

/// TEXT as one member; the same bytes for the same text, whenever.
std::string gzip(std::string_view text);

}  // namespace graft::program
