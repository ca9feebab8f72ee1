#include "run/answer_output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "graft/core/error.hpp"

namespace graft::program {

namespace fs = std::filesystem;

namespace {

/// PATH, or what it leads to: a link stays a link.
std::string behind_links(const std::string& path) {
  std::error_code none;
  if (!fs::is_symlink(fs::symlink_status(path, none))) return path;
  const fs::path target = fs::weakly_canonical(path, none);
  return none ? path : target.string();
}

}  // namespace

std::string answer_output::partial_path(const std::string& path) { return behind_links(path) + ".partial"; }

void answer_output::open() {
  if (file_) return;
  if (path_.empty()) {
    file_.emplace(::dup(STDOUT_FILENO));
    return;
  }
  struct stat there {};
  const bool replaces = ::stat(path_.c_str(), &there) == 0 && S_ISREG(there.st_mode) && there.st_size > 0;
  if (!is_partial_) is_partial_ = replaces;
  growing_ = *is_partial_ ? partial_path(path_) : path_;
  file_.emplace(::open(growing_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666));
  if (!*file_) fail(errno);
  struct stat status {};
  regular_ = ::fstat(file_->number(), &status) == 0 && S_ISREG(status.st_mode);
  if (!regular_) return;
  if (::ftruncate(file_->number(), static_cast<off_t>(size_)) != 0 || ::lseek(file_->number(), 0, SEEK_END) < 0) fail(errno);
  if (!replaces || !*is_partial_) return;
  if (::geteuid() == 0) (void)!::fchown(file_->number(), there.st_uid, there.st_gid);  // as what it replaces, where that can be
  (void)!::fchmod(file_->number(), there.st_mode & 07777);
}

void answer_output::go_on(bool partial, std::uint64_t bytes, const std::string& pending) {
  is_partial_ = partial;
  size_ = bytes;
  open();
  write(pending);
}

void answer_output::write(std::string_view lines) {
  open();
  if (!packs()) return write_bytes(lines);
  text_ += lines;
  for (std::size_t end; text_.size() >= block && (end = text_.find('\n', block - 1)) != std::string::npos;) {
    write_bytes(gzip(std::string_view(text_).substr(0, end + 1)));
    text_.erase(0, end + 1);
  }
}

void answer_output::write_bytes(std::string_view bytes) {
  for (std::string_view left = bytes; !left.empty();) {
    const ssize_t written = ::write(file_->number(), left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int reason = errno;
      if (regular_) (void)!::ftruncate(file_->number(), static_cast<off_t>(size_));
      if (reason == EPIPE) throw reader_left();
      fail(reason);
    }
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ += bytes.size();
}

void answer_output::replace_start(std::string_view start) {
  if (!file_ || !regular_) return;
  for (std::size_t done = 0; done < start.size();) {
    const ssize_t written = ::pwrite(file_->number(), start.data() + done, start.size() - done, static_cast<off_t>(done));
    if (written < 0 && errno != EINTR) fail(errno);
    if (written > 0) done += static_cast<std::size_t>(written);
  }
}

void answer_output::finish() {
  open();
  if (!text_.empty()) write_bytes(gzip(std::exchange(text_, "")));
  if (path_.empty()) return;
  if (regular_ && ::fsync(file_->number()) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP) fail(errno);
  if (!file_->close()) fail(errno);
  if (regular_ && *is_partial_ && ::rename(growing_.c_str(), behind_links(path_).c_str()) != 0) fail(errno);
}

answer_output::~answer_output() {
  if (!file_ || text_.empty()) return;
  try {
    write_bytes(gzip(text_));
  } catch (const std::exception&) {  // why it ends is known already
  }
}

void answer_output::fail(int reason) const {
  throw backend_error((path_.empty() ? "standard output cannot be written: " : growing_ + ": cannot be written: ") + std::strerror(reason));
}

resumed_table::resumed_table(const std::string& path) : path_(path), packed_(path.ends_with(".gz") || path.ends_with(".gz.partial")) {
  if (packed_) {
    bytes_of_.emplace(path);
    gunzip_.emplace(path);
    return;
  }
  file_.open(path, std::ios::binary);
  if (!file_) throw format_error(path, std::string("cannot be opened: ") + std::strerror(errno));
}

bool resumed_table::next(std::string& line, std::size_t size) {
  if (!packed_ && size > 0) {
    line.resize(size);
    file_.read(line.data(), static_cast<std::streamsize>(size));
    line.resize(static_cast<std::size_t>(file_.gcount()));
    if (line.size() < size) return broken_ = line, false;
    bytes_ += size;
    return true;
  }
  if (!packed_) {
    if (!std::getline(file_, line)) return false;
    if (file_.eof()) return broken_ = line, false;
    line += '\n';
    bytes_ += line.size();
    return true;
  }
  while (at_ == text_.size()) {
    if (!next_block()) return false;
  }
  const std::size_t end = text_.find('\n', at_);
  line = text_.substr(at_, end + 1 - at_);
  at_ = end + 1;
  return true;
}

/// The next member. One that is smaller than those before, or broken, is the last: what it holds of whole lines is to be packed anew.
bool resumed_table::next_block() {
  if (ended_) return false;
  text_.clear();
  at_ = 0;
  bool foreign = false, over = false;
  try {
    for (char unpacked[4096]; !foreign;) {
      if (left_.empty()) {
        raw_.resize(answer_output::block);
        raw_.resize(bytes_of_->read(raw_.data(), raw_.size()));
        left_ = raw_;
        if (left_.empty()) break;
      }
      text_.append(unpacked, gunzip_->unpack(left_, unpacked, sizeof unpacked));
      const std::size_t end = text_.size() < answer_output::block ? text_.npos : text_.find('\n', answer_output::block - 1);
      foreign = over || (end != text_.npos && end + 1 < text_.size());
      over = !gunzip_->inside() && !text_.empty();
      if (foreign || !over || end == text_.npos) continue;
      bytes_ = gunzip_->offset();
      return true;
    }
  } catch (const format_error&) {  // damaged or cut short: what comes before is good
  }
  if (foreign) {
    throw format_error(path_, "is no table that graft packed: gzip's members are of other sizes; unpack it, and go on with a plain one");
  }
  ended_ = true;
  const std::size_t whole = text_.rfind('\n') + 1;  // 0 if there is none
  broken_ = text_.substr(whole);
  text_.resize(whole);
  pending_ = text_;
  return whole > 0;
}

}  // namespace graft::program
