#pragma once
// The logs of a run: one file of JSON lines a key, in a folder of their own.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"

namespace graft {

/// Appends to `FOLDER/KEY.zlog`. A run that goes on after a stop makes a new `log_writer`, hence a new folder.
///
/// Each line is one write(2) to a file opened with O_APPEND: a run that is killed leaves whole lines, and so does a full disk. A file
/// exists only for keys that were written. NaN and infinity, which JSON does not have, are written as null: pandas reads it as NaN.
class log_writer {
 public:
  /// Makes FOLDER, which is not there yet.
  /// @throws backend_error  it cannot be made
  explicit log_writer(const std::string& folder) : folder_(folder) {
    if (::mkdir(folder.c_str(), 0777) == 0) return;
    throw backend_error(folder + ": cannot be made a folder: " + std::strerror(errno));
  }
  log_writer(const log_writer&) = delete;
  log_writer& operator=(const log_writer&) = delete;
  ~log_writer() {
    for (const auto& [key, descriptor] : descriptors_) ::close(descriptor);
  }

  const std::string& folder() const noexcept { return folder_; }

  /// Is told of a line that could not be written, if it is set: `write` then returns.
  std::function<void(const backend_error&)> not_written{};

  /// Appends ENTRY, an object, with the member TIMESTAMP (seconds since 1970, to the microsecond) put last.
  /// @throws backend_error  the file cannot be opened or written; no part of the line is left
  void write(const std::string& key, ordered_json entry) {
    entry["TIMESTAMP"] = static_cast<double>(microseconds()) / 1e6;
    const std::string line = entry.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
    try {
      append(key, line);
    } catch (const backend_error& failure) {
      if (!not_written) throw;
      not_written(failure);
    }
  }

 private:
  static std::int64_t microseconds() {
    using namespace std::chrono;
    return duration_cast<std::chrono::microseconds>(system_clock::now().time_since_epoch()).count();
  }

  void append(const std::string& key, const std::string& line) {
    const int descriptor = open(key);
    const off_t before = ::lseek(descriptor, 0, SEEK_END);
    ssize_t written = 0;
    do {
      written = ::write(descriptor, line.data(), line.size());
    } while (written < 0 && errno == EINTR);
    if (written == static_cast<ssize_t>(line.size())) return;
    const std::string reason = written < 0 ? std::strerror(errno) : "the disk is full";
    if (written > 0 && before >= 0) (void)!::ftruncate(descriptor, before);  // half a line would spoil the next one
    throw backend_error(path(key) + ": cannot be written: " + reason);
  }

  std::string path(const std::string& key) const { return folder_ + "/" + key + ".zlog"; }

  int open(const std::string& key) {
    const auto found = descriptors_.find(key);
    if (found != descriptors_.end()) return found->second;
    const int descriptor = ::open(path(key).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor < 0) throw backend_error(path(key) + ": cannot be written: " + std::strerror(errno));
    return descriptors_[key] = descriptor;
  }

  std::string folder_;
  std::map<std::string, int> descriptors_;
};

}  // namespace graft
