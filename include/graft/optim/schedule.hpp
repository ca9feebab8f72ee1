#pragma once
// The learning rate's course, and gradient clipping.

#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/core/parameter.hpp"
#include "graft/optim/chunks.hpp"
#include "graft/optim/schedule_type.hpp"

namespace graft {

/// Linear warm-up, lambda(k) = k / max(1, W) if k < W, unless the type is `constant`; then, with p = (k - W) / max(1, T - W), k = 1 .. T,
/// linear: max(0, (T - k) / max(1, T - W));   cosine: max(0, (1 + cos(pi p)) / 2);   constant, constant_with_warmup: 1
/// Source: transformers' get_scheduler; stepped before the optimizer, as in transformers 2.3.   Tested: tests/optim/schedule_test.cpp
struct rate_schedule {
  double warmup_steps = 0;  // W, not rounded
  double total_steps = 0;   // T
  schedule_type type = schedule_type::linear;

  /// What the learning rate is multiplied by in step K, counted from 0.
  double factor(std::int64_t k) const;
};

/// Scales all gradients by min(1, limit / (norm + 1e-6)), norm the L2 norm over all of them; limit <= 0: only measures. Returns the norm.
/// It is summed in pieces, in order, so that it does not depend on the number of threads.
/// Source: torch.nn.utils.clip_grad_norm_.   Tested: tests/optim/schedule_test.cpp
template <class T>
double clip_gradients(const std::vector<parameter<T>*>& parameters, double limit, context& ctx) {
  scratch::mark mark(ctx.memory);
  index chunks = 0;
  for (const auto* p : parameters) chunks += detail::chunk_count(p->has_gradient() ? p->size() : 0);
  double* const squares = ctx.memory.take<double>(1, chunks).data();
  detail::for_each_chunk(parameters, ctx.threads, [&](std::size_t i, index chunk, index begin, index end) {
    const T* const g = parameters[i]->gradient().data();
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (index k = begin; k < end; ++k) sum += static_cast<double>(g[k]) * static_cast<double>(g[k]);
    squares[chunk] = sum;
  });
  const double norm = std::sqrt(std::accumulate(squares, squares + chunks, 0.0));
  const double factor = limit / (norm + 1e-6);
  if (limit > 0 && factor < 1) {
    detail::for_each_chunk(parameters, ctx.threads, [&](std::size_t i, index, index begin, index end) {
      T* const g = parameters[i]->gradient().data();
#pragma omp simd
      for (index k = begin; k < end; ++k) g[k] *= static_cast<T>(factor);
    });
  }
  return norm;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/optim/schedule-inl.hpp"  // IWYU pragma: export
#endif
