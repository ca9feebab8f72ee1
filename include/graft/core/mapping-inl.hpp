#pragma once
// Bodies of graft/core/mapping.hpp.

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "graft/core/compiled.hpp"
#include "graft/core/mapping.hpp"

namespace graft {

GRAFT_INLINE file_identity::file_identity(const struct stat& s)
    : device(s.st_dev),
      inode(s.st_ino),
      size(static_cast<std::uint64_t>(s.st_size)),
      changed_seconds(s.st_mtim.tv_sec),
      changed_nanoseconds(s.st_mtim.tv_nsec) {}

GRAFT_INLINE bool has_changed(const std::string& path, const file_identity& before) {
  struct stat now {};
  return ::stat(path.c_str(), &now) != 0 || file_identity(now) != before;
}

GRAFT_INLINE mapping_registry::entry* mapping_registry::add(const void* data, std::size_t size, const std::string& path,
                                                            const file_identity& identity) {
  const std::lock_guard lock(mutex());
  entry* free = first().load();
  while (free != nullptr && free->end.load() != 0) free = free->next;
  if (free == nullptr) {
    free = new entry;
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

GRAFT_INLINE void mapping_registry::remove(entry* used) {
  const std::lock_guard lock(mutex());
  used->end.store(0);
  used->begin.store(0);
}

GRAFT_INLINE const char* mapping_registry::path_at(const void* address) noexcept {
  constexpr std::uintptr_t page = 1 << 16;  // a mapping goes on to the end of its last page
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (const entry* each = first().load(); each != nullptr; each = each->next) {
    const std::uintptr_t end = each->end.load();
    if (end != 0 && at >= each->begin.load() && at < (end + page - 1) / page * page) return each->path;
  }
  return nullptr;
}

GRAFT_INLINE bool mapping_registry::cover(void* address) noexcept {
  constexpr std::uintptr_t page = 4096;
  const auto at = reinterpret_cast<std::uintptr_t>(address) / page * page;
  for (entry* each = first().load(); each != nullptr; each = each->next) {
    const std::uintptr_t end = (each->end.load() + page - 1) / page * page;
    if (at < each->begin.load() || at >= end) continue;
    void* zeros = ::mmap(reinterpret_cast<void*>(at), end - at, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) return false;
    covered().store(each);
    return true;
  }
  return false;
}

GRAFT_INLINE const char* mapping_registry::lost() noexcept {
  const entry* one = covered().load();
  return one == nullptr ? nullptr : one->path;
}

GRAFT_INLINE std::map<std::string, file_identity> mapping_registry::files() {
  const std::lock_guard lock(mutex());
  std::map<std::string, file_identity> all;
  for (const entry* each = first().load(); each != nullptr; each = each->next) {
    if (each->end.load() != 0) all.emplace(each->whole_path, each->identity);
  }
  return all;
}

GRAFT_INLINE std::atomic<mapping_registry::entry*>& mapping_registry::first() noexcept {
  static constinit std::atomic<entry*> all{nullptr};
  return all;
}

GRAFT_INLINE std::atomic<mapping_registry::entry*>& mapping_registry::covered() noexcept {
  static constinit std::atomic<entry*> one{nullptr};
  return one;
}

GRAFT_INLINE std::mutex& mapping_registry::mutex() {
  static std::mutex one;
  return one;
}

}  // namespace graft
