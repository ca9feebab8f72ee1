#pragma once
// Bodies of graft/core/file.hpp.

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <system_error>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/utf8.hpp"

namespace graft {

GRAFT_INLINE bool is_there(const std::filesystem::path& path) {
  std::error_code none;
  return std::filesystem::exists(std::filesystem::symlink_status(path, none));
}

GRAFT_INLINE bool is_folder(const std::filesystem::path& path) {
  std::error_code none;
  return std::filesystem::is_directory(path, none);
}

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE descriptor& descriptor::operator=(descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

GRAFT_INLINE descriptor::~descriptor() { close(); }

GRAFT_INLINE descriptor::operator bool() const noexcept { return number_ >= 0; }

GRAFT_INLINE bool descriptor::close() noexcept {
  const int number = std::exchange(number_, -1);
  return number < 0 || ::close(number) == 0;
}

/// What stands at STATUS when it is not a regular file: "a directory".
GRAFT_INLINE std::string kind_of_file(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return "a directory";
  if (S_ISFIFO(status.st_mode)) return "a pipe";
  if (S_ISSOCK(status.st_mode)) return "a socket";
  return "a device";
}

/// Opens PATH to be read, without ever waiting for somebody to write.
/// @throws format_error  it is not there, or may not be read
GRAFT_INLINE descriptor open_to_read(const std::string& path) {
  descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (opened) return opened;
  const int reason = errno;
  struct stat status {};
  std::error_code none;
  if (reason == ENOENT && ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
    throw format_error(path, "is a link to " + std::filesystem::read_symlink(path, none).string() +
                                 ", where there is no file (a download that was not finished, or a copy of the link alone?)");
  }
  if (::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) throw format_error(path, "is a socket, a file was expected");
  throw format_error(path, std::string("cannot be opened: ") + std::strerror(reason));
}

GRAFT_INLINE void refuse_stand_in(std::string_view start, const std::string& path) {
  if (start.starts_with("version https://git-lfs.github.com/")) {
    throw format_error(path, "is a Git LFS pointer, a few lines in place of the file: run `git lfs pull` in its folder, or download it");
  }
  const std::string lower = lower_ascii(start);
  const auto text = std::string_view(lower).substr(std::min(lower.find_first_not_of(" \r\n\t"), lower.size()));
  if (text.starts_with("<!doctype html") || text.starts_with("<html")) {
    throw format_error(path, "is a web page, not the file itself: the download brought a page about it; download it again");
  }
  // A safetensors file may begin with the same three bytes; its ninth is a brace.
  if (start.starts_with("\x1f\x8b\x08") && !start.substr(0, 9).ends_with('{')) {
    throw format_error(path, "is compressed (gzip): unpack it first, with gunzip or tar");
  }
}

/// @throws format_error  OPENED is no regular file, or a stand-in for one
GRAFT_INLINE struct stat regular_file_status(const descriptor& opened, const std::string& path) {
  struct stat status {};
  if (::fstat(opened.number(), &status) != 0) throw format_error(path, std::string("cannot be read: ") + std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw format_error(path, "is " + kind_of_file(status) + ", a file was expected");
  char start[64];
  const ssize_t got = ::pread(opened.number(), start, sizeof start, 0);
  if (got > 0) refuse_stand_in({start, static_cast<std::size_t>(got)}, path);
  return status;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE mapped_file::mapped_file(const std::string& path) : path_(path) {
  detail::descriptor opened = detail::open_to_read(path);
  const struct stat status = detail::regular_file_status(opened, path);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, opened.number(), 0);
  if (address == MAP_FAILED) throw format_error(path, std::string("cannot be mapped into memory: ") + std::strerror(errno));
  data_ = static_cast<const std::byte*>(address);
  mapping_ = mapping_registry::add(data_, size_, path, file_identity(status));
  if (size_ >= std::size_t{1} << 25) opened_ = std::move(opened);  // there may be more small files than descriptors
}

GRAFT_INLINE mapped_file& mapped_file::operator=(mapped_file&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(opened_, other.opened_);
  std::swap(mapping_, other.mapping_);
  return *this;
}

GRAFT_INLINE mapped_file::~mapped_file() {
  if (data_ == nullptr) return;
  mapping_registry::remove(mapping_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

GRAFT_INLINE std::string_view mapped_file::text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

GRAFT_INLINE bool mapped_file::holds(std::span<const std::byte> part) const noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data()), start = reinterpret_cast<std::uintptr_t>(data_);
  return !part.empty() && begin >= start && begin - start < size_ && part.size() <= size_ - (begin - start);
}

GRAFT_INLINE void mapped_file::release_pages(std::span<const std::byte> part) const noexcept {
  if (!holds(part)) return;
  constexpr std::uintptr_t page = 4096;
  const std::uintptr_t begin = (reinterpret_cast<std::uintptr_t>(part.data()) + page - 1) / page * page;
  const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(part.data()) + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

GRAFT_INLINE bool mapped_file::copy(std::span<const std::byte> part, void* to) const noexcept {
  return holds(part) && ::pread(opened_.number(), to, part.size(), part.data() - data_) == std::ssize(part);
}

GRAFT_INLINE input_stream::input_stream(const std::string& path) : path_(path), opened_(detail::open_to_read(path)) {
  struct stat status {};
  if (::fstat(opened_.number(), &status) != 0) fail();
  if (S_ISDIR(status.st_mode)) throw format_error(path, "is a directory, a file was expected");
  if (S_ISFIFO(status.st_mode)) {
    // A pipe is readable once there is something in it, or once a writer has come and gone.
    struct pollfd one {
      opened_.number(), POLLIN, 0
    };
    if (::poll(&one, 1, 10'000) == 0) {
      char byte;
      const ssize_t got = ::read(opened_.number(), &byte, 1);  // a pipe that nobody holds open to write is at its end; else this waits
      if (got == 0) throw format_error(path, "is a pipe that nobody has opened to write for ten seconds");
      if (got > 0) early_.push_back(byte);
    }
  }
  const int flags = ::fcntl(opened_.number(), F_GETFL);
  if (flags < 0 || ::fcntl(opened_.number(), F_SETFL, flags & ~O_NONBLOCK) < 0) fail();
}

GRAFT_INLINE std::size_t input_stream::read(char* into, std::size_t count) {
  if (!early_.empty() && count > 0) {
    *into = early_[0];
    early_.clear();
    return 1;
  }
  for (;;) {
    const ssize_t got = ::read(opened_.number(), into, count);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail();
  }
}

GRAFT_INLINE bool input_stream::wait(int milliseconds) const {
  struct pollfd one {
    opened_.number(), POLLIN, 0
  };
  return !early_.empty() || ::poll(&one, 1, milliseconds) > 0;
}

GRAFT_INLINE void input_stream::fail() const { throw format_error(path_, std::string("cannot be read: ") + std::strerror(errno)); }

GRAFT_INLINE std::string read_file(const std::string& path) {
  const detail::descriptor opened = detail::open_to_read(path);
  const struct stat status = detail::regular_file_status(opened, path);
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t size = 0;
  for (;;) {
    if (size == text.size()) text.resize(size + 4096);  // one byte more than its size says tells whether it has grown
    const ssize_t got = ::read(opened.number(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw format_error(path, std::string("cannot be read: ") + std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

GRAFT_INLINE void make_folder(const std::string& path, const remedy& help) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  std::error_code none;
  if (code || !std::filesystem::is_directory(path, none)) {
    throw backend_error(path + ": cannot be made a folder: " + (code ? code.message() : "a file stands there") + "; choose another " +
                            (help.parameter.empty() ? "output folder" : "folder"),
                        help);
  }
}

GRAFT_INLINE const std::string& process_token() {
  static const std::string token = [] {
    std::random_device random;
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 16; ++i) text += digits[random() & 15];
    return text;
  }();
  return token;
}

GRAFT_INLINE std::string temporary_name(const std::string& path, const std::string& token) {
  const std::filesystem::path whole(path);
  const std::string name = whole.filename().string().substr(0, 200);  // a file name has 255 bytes at most
  return (whole.parent_path() / ("." + name + "." + token + ".tmp")).string();
}

GRAFT_INLINE atomic_file::atomic_file(const std::string& path) : path_(path) {
  std::error_code code;
  struct stat status {};
  const bool there = ::stat(path.c_str(), &status) == 0;
  if (there && S_ISDIR(status.st_mode)) throw backend_error(path + ": cannot be written: is a directory, a file was expected");
  if (there && !S_ISREG(status.st_mode)) {
    opened_ = detail::descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!opened_) fail(errno);
    return;
  }
  for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(path_, code)); ++links) {
    if (links == 40) fail(ELOOP);
    path_ = (std::filesystem::path(path_).parent_path() / std::filesystem::read_symlink(path_, code)).string();
  }
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  folder_ = detail::descriptor(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_ && errno != EACCES) fail(errno);  // one may be allowed to write there and not to look
  const std::string name = temporary_name(path_, process_token());
  for (int again = 0; !opened_; ++again) {  // two threads may be at the same file
    temporary_ = again == 0 ? name : name + std::to_string(again);
    opened_ = detail::descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, there ? 0600 : 0666));
    if (!opened_ && (errno != EEXIST || again == 100)) {
      const int reason = errno;
      temporary_.clear();
      fail(reason);
    }
  }
  if (!there) return;
  if (::geteuid() == 0 && ::fchown(opened_.number(), status.st_uid, status.st_gid) != 0 && errno == EIO) abandon(errno);
  if (::fchmod(opened_.number(), status.st_mode & 07777) != 0 && errno == EIO) abandon(errno);  // some file systems have no modes
}

GRAFT_INLINE atomic_file::~atomic_file() { remove_temporary(); }

GRAFT_INLINE void atomic_file::write(const void* bytes, std::size_t count) {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(opened_.number(), next, count);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(errno);
    }
    next += written;
    count -= static_cast<std::size_t>(written);
  }
}

GRAFT_INLINE void atomic_file::write(std::string_view text) { write(text.data(), text.size()); }

GRAFT_INLINE void atomic_file::commit() {
  if (!synced(opened_)) abandon(errno);
  if (!opened_.close()) abandon(errno);
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) abandon(errno);
  temporary_.clear();
  if (folder_ && !synced(folder_)) fail(errno);  // it is there, but may not be after a power cut
}

GRAFT_INLINE bool atomic_file::synced(const detail::descriptor& d) {
  return ::fsync(d.number()) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP;
}

GRAFT_INLINE void atomic_file::fail(int reason) const { throw backend_error(path_ + ": cannot be written: " + std::strerror(reason)); }

GRAFT_INLINE void atomic_file::abandon(int reason) {
  remove_temporary();
  fail(reason);
}

GRAFT_INLINE void atomic_file::remove_temporary() {
  if (!temporary_.empty()) ::unlink(std::exchange(temporary_, "").c_str());
}

GRAFT_INLINE void write_file(const std::string& path, std::string_view text) {
  atomic_file file(path);
  file.write(text);
  file.commit();
}

GRAFT_INLINE staged_files::staged_files(const std::string& folder) {
  make_folder(folder);
  std::error_code code;
  folder_ = std::filesystem::canonical(folder, code).string();
  if (code) throw backend_error(folder + ": cannot be written: " + code.message());
  const std::string name = temporary_name(folder_, process_token());
  for (int again = 0;; ++again) {
    staged_ = again == 0 ? name : name + std::to_string(again);
    if (::mkdir(staged_.c_str(), 0700) == 0) return;
    if (errno == EEXIST && again < 100) continue;
    // One may be allowed to write into the folder and not beside it.
    staged_as_sibling_ = false;
    staged_ = temporary_name(folder_ + "/graft", process_token());
    if (::mkdir(staged_.c_str(), 0700) == 0) return;
    fail(folder);
  }
}

GRAFT_INLINE staged_files::~staged_files() {
  std::error_code none;
  if (!staged_.empty()) std::filesystem::remove_all(staged_, none);  // nobody else knows its name
}

GRAFT_INLINE std::string staged_files::staged_path(const std::string& name) {
  names_.push_back(name);
  if (const auto within = name.rfind('/'); within != name.npos) make_folder(staged_ + "/" + name.substr(0, within));
  return staged_ + "/" + name;
}

GRAFT_INLINE void staged_files::commit(const std::vector<std::string>& stale) {
  bool replaces = false;
  for (const std::string& name : names_) {
    struct stat status {};
    if (::stat(final_path(name).c_str(), &status) != 0) continue;
    if (!S_ISREG(status.st_mode)) throw backend_error(final_path(name) + ": cannot be written: is " + detail::kind_of_file(status));
    const std::string ready = staged_ + "/" + name;
    if (::geteuid() == 0 && ::chown(ready.c_str(), status.st_uid, status.st_gid) != 0) fail(final_path(name));
    ::chmod(ready.c_str(), status.st_mode & 07777);
    replaces = true;
  }
  std::error_code none;
  // Whoever started us would be left in a folder that is gone.
  const bool stood_in = (std::filesystem::current_path(none).string() + "/").starts_with(folder_ + "/");
  if (!replaces || !staged_as_sibling_ || stood_in || !exchange(stale)) rename_each(stale);
  std::set<std::string> folders{folder_};
  for (const std::string& name : names_) folders.insert(std::filesystem::path(final_path(name)).parent_path().string());
  for (const std::string& one : folders) {
    const detail::descriptor opened(::open(one.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened) ::fsync(opened.number());
  }
}

GRAFT_INLINE std::string staged_files::final_path(const std::string& name) const { return folder_ + "/" + name; }

GRAFT_INLINE bool staged_files::is_new(const std::string& name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

GRAFT_INLINE void staged_files::fail(const std::string& path) {
  throw backend_error(path + ": cannot be written: " + std::strerror(errno));
}

GRAFT_INLINE bool staged_files::exchange(const std::vector<std::string>& stale) {
  namespace fs = std::filesystem;
  const auto becomes_like = [](const std::string& path, const std::string& old) {
    struct stat status {};
    return ::stat(old.c_str(), &status) == 0 && ::chmod(path.c_str(), status.st_mode & 07777) == 0 &&
           ((status.st_uid == ::geteuid() && status.st_gid == ::getegid()) || ::chown(path.c_str(), status.st_uid, status.st_gid) == 0);
  };
  const auto holds_ours = [&](const std::string& name) {
    return std::any_of(names_.begin(), names_.end(), [&](const std::string& ours) { return ours.starts_with(name + "/"); });
  };
  std::error_code code;
  std::vector<std::string> listed;
  for (fs::recursive_directory_iterator entry(folder_, code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().string().substr(folder_.size() + 1);
    const std::string ready = staged_ + "/" + name;
    listed.push_back(name);
    if (is_new(name) || std::find(stale.begin(), stale.end(), name) != stale.end()) continue;
    if (entry->is_symlink(code)) return false;
    if (entry->is_directory(code) ? !holds_ours(name) || !becomes_like(ready, final_path(name))
                                  : !entry->is_regular_file(code) || ::link(final_path(name).c_str(), ready.c_str()) != 0)
      return false;
  }
  if (code || !becomes_like(staged_, folder_)) return false;
  constexpr unsigned both = 2;  // RENAME_EXCHANGE
  if (::syscall(SYS_renameat2, AT_FDCWD, staged_.c_str(), AT_FDCWD, folder_.c_str(), both) != 0) return false;
  const std::string old = std::exchange(staged_, "");
  for (auto name = listed.rbegin(); name != listed.rend(); ++name) fs::remove(old + "/" + *name, code);
  ::rmdir(old.c_str());  // what others put there meanwhile stays
  return true;
}

GRAFT_INLINE void staged_files::rename_each(const std::vector<std::string>& stale) const {
  for (const std::string& name : names_) make_folder(std::filesystem::path(final_path(name)).parent_path().string());
  for (const std::string& name : names_) {
    if (::rename((staged_ + "/" + name).c_str(), final_path(name).c_str()) != 0) fail(final_path(name));
  }
  for (const std::string& name : stale) {
    if (is_new(name) || ::unlink(final_path(name).c_str()) == 0 || errno == ENOENT) continue;
    throw backend_error(final_path(name) + ": cannot be removed: " + std::strerror(errno));
  }
}

}  // namespace graft
