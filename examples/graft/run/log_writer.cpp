#include "run/log_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

namespace graft::program {

log_writer::log_writer(const std::string& folder) : folder_(folder) {
  if (folder.empty() || ::mkdir(folder.c_str(), 0777) == 0) return;
  throw backend_error(folder + ": cannot be made a folder: " + std::strerror(errno));
}

log_writer::~log_writer() {
  for (const auto& [key, descriptor] : descriptors_) ::close(descriptor);
}

void log_writer::write(const std::string& key, ordered_json entry) {
  if (folder_.empty()) return;
  if (also) also(key, entry);
  entry["TIMESTAMP"] = static_cast<double>(microseconds()) / 1e6;
  const std::string line = entry.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
  try {
    append(key, line);
  } catch (const backend_error& failure) {
    if (!not_written) throw;
    not_written(failure);
  }
}

std::int64_t log_writer::microseconds() {
  using namespace std::chrono;
  return duration_cast<std::chrono::microseconds>(system_clock::now().time_since_epoch()).count();
}

void log_writer::append(const std::string& key, const std::string& line) {
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

std::string log_writer::path(const std::string& key) const { return folder_ + "/" + key + ".zlog"; }

int log_writer::open(const std::string& key) {
  const auto found = descriptors_.find(key);
  if (found != descriptors_.end()) return found->second;
  const int descriptor = ::open(path(key).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) throw backend_error(path(key) + ": cannot be written: " + std::strerror(errno));
  return descriptors_[key] = descriptor;
}

}  // namespace graft::program
