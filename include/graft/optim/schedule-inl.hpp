#pragma once
// Bodies of graft/optim/schedule.hpp.

#include <algorithm>

#include "graft/core/compiled.hpp"
#include "graft/optim/schedule.hpp"

namespace graft {

GRAFT_INLINE double linear_schedule::factor(std::int64_t k) const {
  const double step = static_cast<double>(k);
  if (step < warmup_steps) return step / std::max(1.0, warmup_steps);
  return std::max(0.0, (total_steps - step) / std::max(1.0, total_steps - warmup_steps));
}

}  // namespace graft
