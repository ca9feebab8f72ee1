#pragma once
// Files as the rest of graft needs them: read whole, mapped, or written under a temporary name and renamed.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "graft/core/error.hpp"

namespace graft {

/// A file mapped read-only into memory for as long as the object lives.
/// @throws format_error  the path is missing, a directory, or cannot be opened or mapped
class mapped_file {
 public:
  explicit mapped_file(const std::string& path) : path_(path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw format_error(path, std::string("cannot be opened: ") + std::strerror(errno));
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || S_ISDIR(status.st_mode)) {
      ::close(descriptor);
      throw format_error(path, "is a directory, a file was expected");
    }
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ > 0) {
      void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (address == MAP_FAILED) {
        const std::string reason = std::strerror(errno);
        ::close(descriptor);
        throw format_error(path, "cannot be mapped into memory: " + reason);
      }
      data_ = static_cast<const std::byte*>(address);
    }
    ::close(descriptor);
  }
  mapped_file(mapped_file&& other) noexcept
      : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  }

  const std::string& path() const noexcept { return path_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

  /// Whether PART, not empty, lies in this mapping.
  bool holds(std::span<const std::byte> part) const noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(part.data()), own = reinterpret_cast<std::uintptr_t>(data_);
    return !part.empty() && begin >= own && begin - own < size_ && part.size() <= size_ - (begin - own);
  }
  /// PART of this mapping is not needed for a while: its pages leave this process, and come again from the file when they are read.
  void rest(std::span<const std::byte> part) const noexcept {
    if (!holds(part)) return;
    constexpr std::uintptr_t page = 4096;
    const std::uintptr_t begin = (reinterpret_cast<std::uintptr_t>(part.data()) + page - 1) / page * page;
    const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(part.data()) + part.size()) / page * page;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Numbers that lie in a mapped file, which stays mapped as long as they are kept.
template <class T>
struct mapped_numbers {
  std::shared_ptr<const mapped_file> file;
  const T* data;
};

/// The whole file as a string.
/// @throws format_error  as mapped_file
inline std::string read_file(const std::string& path) { return std::string(mapped_file(path).text()); }

/// Makes a folder and its parents.
/// @throws backend_error  it cannot be made (no permission, a file stands in the way, a read-only or full disk)
inline void make_folder(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code || !std::filesystem::is_directory(path)) {
    throw backend_error(path + ": cannot be made a folder: " + (code ? code.message() : "a file stands there") +
                        "; choose another output folder");
  }
}

/// Writes PATH under the name `PATH.tmp` and renames it in `commit()`, so a reader never meets a half-written file.
/// Without `commit()` the temporary file is removed and whatever stood at PATH stays. A link stays a link: what it leads to is
/// replaced. A device or pipe, /dev/stdout for one, is written to as it is.
/// @throws backend_error  the folder is not writable, or the disk is full
class atomic_file {
 public:
  explicit atomic_file(const std::string& path) : path_(path) {
    std::error_code code;
    const auto status = std::filesystem::status(path, code);
    const bool device = std::filesystem::is_other(status);
    if (!device) {
      if (std::filesystem::is_symlink(path, code) && std::filesystem::exists(status)) path_ = std::filesystem::canonical(path).string();
      temporary_ = path_ + ".tmp";
    }
    descriptor_ =
        device ? ::open(path_.c_str(), O_WRONLY | O_CLOEXEC) : ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor_ < 0) throw backend_error(path + ": cannot be written: " + std::strerror(errno));
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
      remove_temporary();
    }
  }

  void write(const void* bytes, std::size_t count) {
    const char* next = static_cast<const char*>(bytes);
    while (count > 0) {
      const ssize_t written = ::write(descriptor_, next, count);
      if (written < 0) {
        if (errno == EINTR) continue;
        throw backend_error(path_ + ": cannot be written: " + std::strerror(errno));
      }
      next += written;
      count -= static_cast<std::size_t>(written);
    }
  }
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Flushes to the disk, closes, and puts the file in its place.
  void commit() {
    const int descriptor = std::exchange(descriptor_, -1);
    const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS;
    const int sync_error = errno;
    const bool closed = ::close(descriptor) == 0;
    const bool renamed = temporary_.empty() || (synced && closed && ::rename(temporary_.c_str(), path_.c_str()) == 0);
    if (!synced || !closed || !renamed) {
      const std::string reason = std::strerror(synced ? errno : sync_error);
      remove_temporary();
      throw backend_error(path_ + ": cannot be written: " + reason);
    }
  }

 private:
  void remove_temporary() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  std::string path_;
  std::string temporary_;  // "": written directly
  int descriptor_ = -1;
};

/// Replaces PATH by TEXT in one step.
/// @throws backend_error  as atomic_file
inline void write_file(const std::string& path, std::string_view text) {
  atomic_file file(path);
  file.write(text);
  file.commit();
}

}  // namespace graft
