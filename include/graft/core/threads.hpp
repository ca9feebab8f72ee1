#pragma once
// How many threads compute.

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <system_error>

namespace graft {

namespace detail {
inline std::atomic<int> most_threads{0};
}

/// No more than MOST threads compute, be there as many processors or not; 0, as at the start: no more than there are processors.
inline void limit_threads(int most) { detail::most_threads = most; }

/// The number of threads that compute where WANTED are asked for (0: omp_get_max_threads()): no more than the processors that the calling
/// thread may use, which more would only take from one another, or than limit_threads says. No bit of a result depends on it.
/// Tested: tests/core/threads_test.cpp
inline int usable_threads(int wanted = 0) {
  const int limit = detail::most_threads, most = limit > 0 ? limit : std::max(1, omp_get_num_procs());
  return std::min(wanted > 0 ? wanted : omp_get_max_threads(), most);
}

/// A future of f(), which a thread of its own computes meanwhile; where one thread is to compute alone, or no other can be had, it does
/// when it is asked.   Tested: tests/core/threads_test.cpp
template <class F>
auto in_background(const F& f) {
  if (usable_threads() > 1) {
    try {
      return std::async(std::launch::async, f);
    } catch (const std::system_error&) {  // a limit of the system's
    }
  }
  return std::async(std::launch::deferred, f);
}

}  // namespace graft
