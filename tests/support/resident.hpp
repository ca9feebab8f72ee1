#pragma once
// How much of a mapped file is in memory.

#include <cstdio>
#include <fstream>
#include <string>

namespace graft_test {

/// Bytes of the mapping that begins at DATA that are in this process's memory; -1: there is none.
inline long resident_bytes(const void* data) {
  std::ifstream maps("/proc/self/smaps");
  char begin[32];
  std::snprintf(begin, sizeof begin, "%lx-", reinterpret_cast<unsigned long>(data));
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    inside = inside || line.starts_with(begin);
    if (inside && line.starts_with("Rss:")) return std::stol(line.substr(4)) * 1024;
  }
  return -1;
}

}  // namespace graft_test
