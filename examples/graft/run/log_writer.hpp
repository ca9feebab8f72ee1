#pragma once
// The logs of a run: one file of JSON lines a key, in a folder of their own.

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"

namespace graft::program {

/// Appends to `FOLDER/KEY.zlog`. A run that goes on after a stop makes a new `log_writer`, hence a new folder.
///
/// Each line is one write(2) to a file opened with O_APPEND: a run that is killed leaves whole lines, and so does a full disk. A file
/// exists only for keys that were written. NaN and infinity, which JSON does not have, are written as null: pandas reads it as NaN.
class log_writer {
 public:
  /// Makes FOLDER, which is not there yet; "": nothing is written.
  /// @throws backend_error  it cannot be made
  explicit log_writer(const std::string& folder);
  log_writer(const log_writer&) = delete;
  log_writer& operator=(const log_writer&) = delete;
  ~log_writer();

  const std::string& folder() const noexcept { return folder_; }

  /// Is told of a line that could not be written, if it is set: `write` then returns.
  std::function<void(const backend_error&)> not_written{};

  /// Is told of every entry, with its key, if it is set.
  std::function<void(const std::string&, const ordered_json&)> also{};

  /// Appends ENTRY, an object, with the member TIMESTAMP (seconds since 1970, to the microsecond) put last.
  /// @throws backend_error  the file cannot be opened or written; no part of the line is left
  void write(const std::string& key, ordered_json entry);

 private:
  static std::int64_t microseconds();

  void append(const std::string& key, const std::string& line);

  std::string path(const std::string& key) const;

  int open(const std::string& key);

  std::string folder_;
  std::map<std::string, int> descriptors_;
};

}  // namespace graft::program
