#pragma once
// Which files are mapped into memory where: a program can tell whose pages it lost, and whether a file has changed meanwhile.

#include <sys/stat.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace graft {

/// What tells one state of a file from another without reading it.
struct file_identity {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t changed_seconds = 0, changed_nanoseconds = 0;

  file_identity() = default;
  /// What S says of a file.
  explicit file_identity(const struct stat& s);
  bool operator==(const file_identity&) const = default;
};

/// Whether the file PATH is no longer what it was at BEFORE: gone, replaced, of another size, or written to since.
bool has_changed(const std::string& path, const file_identity& before);

/// Every live mapping of a `mapped_file`.
///
/// `path_at` may be called from a signal handler: it takes no lock and no memory. Places are used again but never given back, so a
/// handler always reads memory that is there.
class mapping_registry {
 public:
  struct entry {
    std::atomic<std::uintptr_t> begin{0}, end{0};  // both 0: free
    char path[1024] = {};                          // cut when longer
    std::string whole_path;
    file_identity identity;
    entry* next = nullptr;
  };

  /// Enters a mapping of SIZE bytes at DATA, to be taken out with `remove`. Both may be called from any thread.
  static entry* add(const void* data, std::size_t size, const std::string& path, const file_identity& identity);
  static void remove(entry* used);

  /// The path of the file that is mapped at ADDRESS; nullptr: none of ours.
  static const char* path_at(const void* address) noexcept;

  /// Puts zeros in place of the pages from ADDRESS to the end of the file that is mapped there, which are gone, so that the program comes
  /// to where it asks for `lost`. May be called from a signal handler. False: no file of ours is mapped there, or zeros cannot be.
  static bool cover(void* address) noexcept;
  /// The path of a file that was covered; nullptr: none was.
  static const char* lost() noexcept;

  /// Every file that is mapped at this moment, and what it was when it was mapped first.
  static std::map<std::string, file_identity> files();

 private:
  static std::atomic<entry*>& first() noexcept;
  static std::atomic<entry*>& covered() noexcept;
  static std::mutex& mutex();
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/mapping-inl.hpp"  // IWYU pragma: export
#endif
