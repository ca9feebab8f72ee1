#pragma once
// Where rows come from: the bytes of a file, a pipe or standard input as they come, unpacked if gzip packed them.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "graft/data/lines.hpp"
#include "host/gzip.hpp"

namespace graft::program {

class input_bytes {
 public:
  /// Of the file or pipe PATH; "-" is standard input.
  /// @throws format_error  as input_stream
  explicit input_bytes(const std::string& path);

  /// Reads up to COUNT bytes to INTO; how many they were, 0 at the end.
  /// @throws format_error  reading fails, or gzip data is damaged or cut short
  /// @throws stopped       STOP of stop_when
  std::size_t read(char* into, std::size_t count);
  /// Whether `read` would give something, or the end, without waiting.
  bool ready();
  /// From now on `read` ends, by an exception, once STOP is true.
  void stop_when(const std::atomic<bool>& stop) { stop_ = &stop; }
  /// What it is called in messages.
  const std::string& name() const { return name_; }
  /// How much of a file has been read: 0 to 1.
  std::optional<double> share() const;

 private:
  std::size_t read_raw(char* into, std::size_t count);
  /// Reads on into packed_; false at the end.
  bool fill();
  std::size_t unpack(char* into, std::size_t count);

  std::string name_;
  byte_source source_;
  std::function<bool(int milliseconds)> wait_;
  const std::atomic<bool>* stop_ = nullptr;
  std::uint64_t taken_ = 0, size_ = 0;  // bytes of a file, as they lie there
  std::string packed_;                  // as it came; what of it was not given or unpacked yet is left_
  std::string_view left_;
  std::string early_;  // was unpacked to see whether there is something
  std::optional<gunzip> gunzip_;
  bool begun_ = false;
};

/// The lines of BYTES, which is shared.
line_reader lines_of(const std::shared_ptr<input_bytes>& bytes);

}  // namespace graft::program
