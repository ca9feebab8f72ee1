#pragma once
// The learning rate's course, and gradient clipping.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "graft/core/parameter.hpp"

namespace graft {

/// Linear warm-up, then linear decay to 0:   lambda(k) = k / max(1, W) if k < W, else max(0, (T - k) / max(1, T - W)),  k = 1 .. T.
/// Source: transformers 2.3 get_linear_schedule_with_warmup, stepped before the optimizer.   Tested: tests/optim/schedule_test.cpp
struct linear_schedule {
  double warmup_steps = 0;  // W, not rounded
  double total_steps = 0;   // T

  double factor(std::int64_t k) const {
    const double step = static_cast<double>(k);
    if (step < warmup_steps) return step / std::max(1.0, warmup_steps);
    return std::max(0.0, (total_steps - step) / std::max(1.0, total_steps - warmup_steps));
  }
};

/// Scales all gradients by min(1, limit / (norm + 1e-6)), norm the L2 norm over all of them; limit <= 0: only measures. Returns the norm.
/// Source: torch.nn.utils.clip_grad_norm_.   Tested: tests/optim/schedule_test.cpp
template <class T>
double clip_gradients(const std::vector<parameter<T>*>& parameters, double limit) {
  double sum = 0;
  for (const auto* p : parameters) {
    if (p->grad.size() > 0) sum += p->grad.template cast<double>().squaredNorm();
  }
  const double norm = std::sqrt(sum);
  const double factor = limit / (norm + 1e-6);
  if (limit > 0 && factor < 1) {
    for (auto* p : parameters) p->grad *= static_cast<T>(factor);
  }
  return norm;
}

}  // namespace graft
