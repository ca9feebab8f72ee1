#pragma once
// Bodies of graft/optim/schedule.hpp.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graft/core/compiled.hpp"
#include "graft/optim/schedule.hpp"

namespace graft {

GRAFT_INLINE double rate_schedule::factor(std::int64_t k) const {
  if (type == schedule_type::constant) return 1;
  const double step = static_cast<double>(k);
  if (step < warmup_steps) return step / std::max(1.0, warmup_steps);
  if (type == schedule_type::constant_with_warmup) return 1;
  const double rest = std::max(1.0, total_steps - warmup_steps);
  if (type == schedule_type::linear) return std::max(0.0, (total_steps - step) / rest);
  return std::max(0.0, (1 + std::cos(std::numbers::pi * (step - warmup_steps) / rest)) / 2);
}

}  // namespace graft
