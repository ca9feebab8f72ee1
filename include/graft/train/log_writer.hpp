#pragma once
// The logs of a run: one file of JSON lines a key, in a folder named by the second in which the run started.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"

namespace graft {

/// Appends to `OUTPUT_DIR/<unix seconds>/KEY.zlog`. A run that goes on after a stop makes a new `log_writer`, hence a new folder.
///
/// Each line is one write(2) to a file opened with O_APPEND: a run that is killed leaves whole lines. A file exists only for
/// keys that were written. NaN and infinity, which JSON does not have, are written as null: pandas reads it as NaN.
class log_writer {
 public:
  /// @throws backend_error  the folder cannot be made
  explicit log_writer(const std::string& output_dir) {
    make_folder(output_dir);
    auto second = microseconds() / 1'000'000;
    for (;; ++second) {  // two runs in one second: the later one takes the next free name
      folder_ = output_dir + "/" + std::to_string(second);
      if (::mkdir(folder_.c_str(), 0755) == 0) return;
      if (errno != EEXIST) throw backend_error(folder_ + ": cannot be made a folder: " + std::strerror(errno));
    }
  }
  log_writer(const log_writer&) = delete;
  log_writer& operator=(const log_writer&) = delete;
  ~log_writer() {
    for (const auto& [key, descriptor] : descriptors_) ::close(descriptor);
  }

  const std::string& folder() const noexcept { return folder_; }

  /// Appends ENTRY, an object, with the member TIMESTAMP (seconds since 1970, to the microsecond) put last.
  /// @throws backend_error  the file cannot be opened or written
  void write(const std::string& key, ordered_json entry) {
    entry["TIMESTAMP"] = static_cast<double>(microseconds()) / 1e6;
    const std::string line = entry.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
    const int descriptor = open(key);
    ssize_t written = 0;
    do {
      written = ::write(descriptor, line.data(), line.size());
    } while (written < 0 && errno == EINTR);
    if (written != static_cast<ssize_t>(line.size())) {
      throw backend_error(path(key) + ": cannot be written: " + (written < 0 ? std::strerror(errno) : "the disk is full"));
    }
  }

 private:
  static std::int64_t microseconds() {
    using namespace std::chrono;
    return duration_cast<std::chrono::microseconds>(system_clock::now().time_since_epoch()).count();
  }

  std::string path(const std::string& key) const { return folder_ + "/" + key + ".zlog"; }

  int open(const std::string& key) {
    const auto found = descriptors_.find(key);
    if (found != descriptors_.end()) return found->second;
    const int descriptor = ::open(path(key).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor < 0) throw backend_error(path(key) + ": cannot be written: " + std::strerror(errno));
    return descriptors_[key] = descriptor;
  }

  std::string folder_;
  std::map<std::string, int> descriptors_;
};

}  // namespace graft
