#pragma once
// Which files are mapped into memory where: a program can tell whose pages it lost, and whether a file has changed meanwhile.

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace graft {

/// What tells one state of a file from another without reading it.
struct file_identity {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t changed_seconds = 0, changed_nanoseconds = 0;

  file_identity() = default;
  explicit file_identity(const struct stat& s)
      : device(s.st_dev),
        inode(s.st_ino),
        size(static_cast<std::uint64_t>(s.st_size)),
        changed_seconds(s.st_mtim.tv_sec),
        changed_nanoseconds(s.st_mtim.tv_nsec) {}
  bool operator==(const file_identity&) const = default;
};

/// Whether the file PATH is no longer what it was at BEFORE: gone, replaced, of another size, or written to since.
inline bool has_changed(const std::string& path, const file_identity& before) {
  struct stat now {};
  return ::stat(path.c_str(), &now) != 0 || file_identity(now) != before;
}

/// Every live mapping of a `mapped_file`.
///
/// `path_at` may be called from a signal handler: it takes no lock and no memory. Places are used again but never given back, so a
/// handler always reads memory that is there.
class mapping_registry {
 public:
  struct place {
    std::atomic<std::uintptr_t> begin{0}, end{0};  // both 0: free
    char path[1024] = {};                          // cut when longer
    std::string whole_path;
    file_identity identity;
    place* next = nullptr;
  };

  static place* add(const void* data, std::size_t size, const std::string& path, const file_identity& identity) {
    const std::lock_guard lock(mutex());
    place* free = first().load();
    while (free != nullptr && free->end.load() != 0) free = free->next;
    if (free == nullptr) {
      free = new place;
      free->next = first().load();
      first().store(free);
    }
    free->whole_path = path;
    free->identity = identity;
    const std::size_t length = std::min(path.size(), sizeof free->path - 1);
    std::memcpy(free->path, path.data(), length);
    free->path[length] = '\0';
    free->begin.store(reinterpret_cast<std::uintptr_t>(data));
    free->end.store(reinterpret_cast<std::uintptr_t>(data) + size);
    return free;
  }

  static void remove(place* used) {
    const std::lock_guard lock(mutex());
    used->end.store(0);
    used->begin.store(0);
  }

  /// The path of the file that is mapped at ADDRESS; nullptr: none of ours.
  static const char* path_at(const void* address) noexcept {
    constexpr std::uintptr_t page = 1 << 16;  // a mapping goes on to the end of its last page
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    for (const place* each = first().load(); each != nullptr; each = each->next) {
      const std::uintptr_t end = each->end.load();
      if (end != 0 && at >= each->begin.load() && at < (end + page - 1) / page * page) return each->path;
    }
    return nullptr;
  }

  /// Puts zeros in place of the pages from ADDRESS to the end of the file that is mapped there, which are gone, so that the program comes to
  /// where it asks for `lost`. May be called from a signal handler. False: no file of ours is mapped there, or zeros cannot be.
  static bool cover(void* address) noexcept {
    constexpr std::uintptr_t page = 4096;
    const auto at = reinterpret_cast<std::uintptr_t>(address) / page * page;
    for (place* each = first().load(); each != nullptr; each = each->next) {
      const std::uintptr_t end = (each->end.load() + page - 1) / page * page;
      if (at < each->begin.load() || at >= end) continue;
      void* zeros = ::mmap(reinterpret_cast<void*>(at), end - at, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
      if (zeros == MAP_FAILED) return false;
      covered().store(each);
      return true;
    }
    return false;
  }
  /// The path of a file that was covered; nullptr: none was.
  static const char* lost() noexcept {
    const place* one = covered().load();
    return one == nullptr ? nullptr : one->path;
  }

  /// Every file that is mapped at this moment, and what it was when it was mapped first.
  static std::map<std::string, file_identity> files() {
    const std::lock_guard lock(mutex());
    std::map<std::string, file_identity> all;
    for (const place* each = first().load(); each != nullptr; each = each->next) {
      if (each->end.load() != 0) all.emplace(each->whole_path, each->identity);
    }
    return all;
  }

 private:
  static std::atomic<place*>& first() noexcept {
    static constinit std::atomic<place*> all{nullptr};
    return all;
  }
  static std::atomic<place*>& covered() noexcept {
    static constinit std::atomic<place*> one{nullptr};
    return one;
  }
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
};

}  // namespace graft
