#include "host/input.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "graft/core/file.hpp"
#include "host/standard_input.hpp"
#include "host/stop.hpp"

namespace graft::program {

input_bytes::input_bytes(const std::string& path) : name_(path == "-" ? "standard input" : path) {
  struct stat status {};
  if (path == "-") {
    source_ = read_standard_input;
    wait_ = [](int milliseconds) {
      struct pollfd one {
        STDIN_FILENO, POLLIN, 0
      };
      return ::poll(&one, 1, milliseconds) > 0;
    };
    if (::fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode)) {
      size_ = static_cast<std::uint64_t>(status.st_size);
      taken_ = static_cast<std::uint64_t>(std::max<off_t>(0, ::lseek(STDIN_FILENO, 0, SEEK_CUR)));
    }
    return;
  }
  const auto stream = std::make_shared<input_stream>(path);
  source_ = [stream](char* into, std::size_t count) { return stream->read(into, count); };
  wait_ = [stream](int milliseconds) { return stream->wait(milliseconds); };
  if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) size_ = static_cast<std::uint64_t>(status.st_size);
}

std::size_t input_bytes::read_raw(char* into, std::size_t count) {
  do {
    if (stop_ != nullptr && stop_->load()) throw stopped();
  } while (stop_ != nullptr && !wait_(100));
  const std::size_t got = source_(into, count);
  taken_ += got;
  return got;
}

bool input_bytes::fill() {
  constexpr std::size_t block_bytes = 64U << 10;
  packed_.resize(block_bytes);
  packed_.resize(read_raw(packed_.data(), block_bytes));
  left_ = packed_;
  return !left_.empty();
}

std::size_t input_bytes::unpack(char* into, std::size_t count) {
  std::size_t got = 0;
  do got = gunzip_->unpack(left_, into, count);
  while (got == 0 && !left_.empty());
  return got;
}

std::size_t input_bytes::read(char* into, std::size_t count) {
  if (!begun_) {  // the first two bytes say what it is
    char start[2];
    std::size_t got = 0;
    for (std::size_t more = 1; got < 2 && more > 0; got += more) more = read_raw(start + got, 2 - got);
    packed_.assign(start, got);
    left_ = packed_;
    begun_ = true;
    if (is_gzip(left_)) gunzip_.emplace(name_);
  }
  if (!early_.empty()) {
    const std::size_t given = early_.copy(into, count);
    early_.erase(0, given);
    return given;
  }
  if (!gunzip_) {
    if (left_.empty()) return read_raw(into, count);
    const std::size_t given = left_.copy(into, count);
    left_.remove_prefix(given);
    return given;
  }
  for (;;) {
    if (const std::size_t got = unpack(into, count); got > 0) return got;
    if (fill()) continue;
    gunzip_->finish();
    return 0;
  }
}

bool input_bytes::ready() {
  if (!gunzip_) return !left_.empty() || wait_(0);
  while (early_.empty()) {
    early_.resize(64U << 10);
    early_.resize(unpack(early_.data(), early_.size()));
    if (!early_.empty()) break;
    if (!wait_(0)) return false;
    if (!fill()) break;  // the end, which read finds, too
  }
  return true;
}

std::optional<double> input_bytes::share() const {
  if (size_ == 0) return std::nullopt;
  return std::min(1.0, static_cast<double>(taken_) / static_cast<double>(size_));
}

line_reader lines_of(const std::shared_ptr<input_bytes>& bytes) {
  line_reader lines([bytes](char* into, std::size_t count) { return bytes->read(into, count); }, bytes->name());
  lines.told_by([bytes] { return bytes->ready(); });
  return lines;
}

}  // namespace graft::program
