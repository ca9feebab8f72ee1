#pragma once
// Scalars for TensorBoard: an event file, as TensorBoard reads it.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"

namespace graft::program {

/// CRC-32C (Castagnoli) of BYTES.   Source: RFC 3720, appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

/// Names and values of one step.
using scalars = std::vector<std::pair<std::string, double>>;

/// DATA as a record: length, masked CRC of that, data, masked CRC of that; a CRC c is masked as (c >> 15 | c << 17) + 0xa282ead8.
/// Source: TensorFlow, core/lib/io/record_writer.h.
std::string tf_record(std::string_view data);

/// Messages `Event` of TensorFlow's event.proto: the first of a file; one that says that what was logged from STEP on is logged again;
/// VALUES as a `Summary`.   TIME in seconds since 1970.
std::string version_event(double time);
std::string restart_event(double time, std::int64_t step);
std::string scalars_event(double time, std::int64_t step, const scalars& values);

/// Appends records to a file of its own. Each is one write(2): a run that is killed leaves whole ones.   Tested:
/// tests/program/event_file_test.cpp
class event_file {
 public:
  /// Makes PATH, which is not there yet, in a folder that may be. FIRST_STEP is the run's next one: if not 1, it goes on from a checkpoint.
  /// @throws backend_error  it cannot be made
  event_file(const std::string& path, std::int64_t first_step);
  event_file(const event_file&) = delete;
  event_file& operator=(const event_file&) = delete;
  ~event_file();

  /// Is told of a record that could not be written, if it is set: `write` then returns.
  std::function<void(const backend_error&)> not_written{};

  /// @throws backend_error  it cannot be written; no part of the record is left
  void write(std::int64_t step, const scalars& values);

 private:
  void append(const std::string& event);

  std::string path_;
  int descriptor_;
};

}  // namespace graft::program
