#pragma once
// What becomes of a command when a mapped file is cut short under it, or its disk fails.

#include <atomic>

#include "graft/core/error.hpp"

namespace graft::program {

/// The exit code then.
inline constexpr int lost_file_exit_code = 4;

class lost_file : public format_error {
 public:
  explicit lost_file(const std::string& path)
      : format_error(path,
                     "was cut short while it was in use, or cannot be read any more: nothing computed since is kept; put the file back, "
                     "and --resume goes on from the last checkpoint") {}
};

/// While it lives, pages that are gone become zeros, and the program goes on to where it asks for them (mapping_registry::lost): nothing
/// computed from them may be kept then. Otherwise it ends at once.
class lost_pages_covered {
 public:
  lost_pages_covered() { flag() = true; }
  ~lost_pages_covered() { flag() = false; }
  lost_pages_covered(const lost_pages_covered&) = delete;
  lost_pages_covered& operator=(const lost_pages_covered&) = delete;
  static std::atomic<bool>& flag() {
    static constinit std::atomic<bool> one = false;
    return one;
  }
};

}  // namespace graft::program
