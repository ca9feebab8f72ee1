#pragma once
// Bodies of graft/core/profile.hpp.

#include <cstddef>

#include "graft/core/compiled.hpp"
#include "graft/core/profile.hpp"

namespace graft {

GRAFT_INLINE void profile::clear() {
  seconds.fill(0);
  kernel_nanoseconds = kernel_operations = 0;
}

GRAFT_INLINE void profile::add_share(const profile& other, double share) {
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    seconds[i] += (i == static_cast<std::size_t>(operation::wait) ? -share : share) * other.seconds[i];
  }
  kernel_nanoseconds += other.kernel_nanoseconds;
  kernel_operations += other.kernel_operations;
}

GRAFT_INLINE timed::timed(profile* p, operation o) : profile_(p), operation_(o) {
  if (profile_ != nullptr) started_ = std::chrono::steady_clock::now();
}

GRAFT_INLINE timed::~timed() {
  if (profile_ == nullptr) return;
  profile_->seconds[static_cast<std::size_t>(operation_)] +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

}  // namespace graft
