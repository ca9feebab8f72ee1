#pragma once
// Scaled dot-product attention of packed sequences, one head of one sequence at a time, in cache.

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "graft/core/context.hpp"
#include "graft/core/types.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/softmax.hpp"

namespace graft::ops {

namespace detail {

/// The counter of probability (row, head, column): rows are batch-wide, columns are within the sequence.
inline std::uint64_t probability_counter(index row, index heads, index head) {
  return static_cast<std::uint64_t>(row * heads + head) << 20;
}

/// Calls f(first row, length, head, three (T, T) scratch matrices) for every head of every sequence, in parallel.
template <class T, class F>
void for_each_head(index heads, context& ctx, F&& f) {
  const index sequences = static_cast<index>(ctx.offsets.size()) - 1;
  index longest = 0;
  for (index b = 0; b < sequences; ++b) longest = std::max(longest, ctx.offsets[b + 1] - ctx.offsets[b]);
  scratch::mark mark(ctx.memory);
  // Every thread's part begins on a cache line: sums over a row depend on its alignment, and must not depend on the thread.
  auto memory = ctx.memory.take<T>(ctx.threads, (3 * longest * longest + 15) / 16 * 16);
  const index items = sequences * heads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(ctx.threads)
  for (index item = 0; item < items; ++item) {
    const index b = item / heads;
    const index length = ctx.offsets[b + 1] - ctx.offsets[b];
    T* own = memory.row_data(omp_get_thread_num());
    f(ctx.offsets[b], length, item % heads, view<T>(own, length, length), view<T>(own + length * length, length, length),
      view<T>(own + 2 * length * length, length, length));
  }
}

template <class T>
void attention_probabilities(const_view<T> q, const_view<T> k, view<T> p) {
  p.noalias() = q * k.transpose();
  p *= T(1) / std::sqrt(T(q.cols()));
  for (index i = 0; i < p.rows(); ++i) softmax_row(p.row(i));
}

}  // namespace detail

/// For every sequence and head:   y = drop(softmax(q k^T / sqrt D)) v.
/// @param q, k, v  (N, H) packed rows, head a owns columns a D .. (a + 1) D - 1      @param[out] y  (N, H)
/// @param p        dropout probability of the attention probabilities (training only)
/// Saved: nothing beyond q, k, v; backward recomputes the probabilities.
/// Source: Vaswani et al. 2017, eq. 1.   Tested: tests/ops/attention_core_test.cpp
template <class T>
void attention_forward(const_view<T> q, const_view<T> k, const_view<T> v, view<T> y, index heads, double p, std::uint64_t place,
                       context& ctx) {
  const index d = q.cols() / heads;
  const bool drop = ctx.training && p > 0;
  const dropout_mask<T> mask(drop ? p : 0.0, ctx.stream(place));
  detail::for_each_head<T>(heads, ctx, [&](index first, index length, index head, view<T> prob, view<T>, view<T>) {
    const auto of = [&](const auto& m) { return m.window(first, head * d, length, d); };
    detail::attention_probabilities<T>(of(q), of(k), prob);
    if (drop) {
      for (index i = 0; i < length; ++i) {
        mask.apply(prob.row_data(i), prob.row_data(i), length, detail::probability_counter(first + i, heads, head));
      }
    }
    of(y).noalias() = prob * of(v);
  });
}

/// With P the probabilities, M the dropout factors and G = dy v^T:
///   dv = (P M)^T dy,   dS = P (G M - rowsum(P G M)),   dq = dS k / sqrt D,   dk = dS^T q / sqrt D.
template <class T>
void attention_backward(const_view<T> dy, const_view<T> q, const_view<T> k, const_view<T> v, view<T> dq, view<T> dk, view<T> dv,
                        index heads, double p, std::uint64_t place, context& ctx) {
  const index d = q.cols() / heads;
  const T scale = T(1) / std::sqrt(T(d));
  const bool drop = ctx.training && p > 0;
  const dropout_mask<T> mask(drop ? p : 0.0, ctx.stream(place));
  detail::for_each_head<T>(heads, ctx, [&](index first, index length, index head, view<T> prob, view<T> grad, view<T> kept) {
    const auto of = [&](const auto& m) { return m.window(first, head * d, length, d); };
    detail::attention_probabilities<T>(of(q), of(k), prob);
    grad.noalias() = of(dy) * of(v).transpose();
    if (drop) {
      for (index i = 0; i < length; ++i) {
        const std::uint64_t counter = detail::probability_counter(first + i, heads, head);
        mask.apply(prob.row_data(i), kept.row_data(i), length, counter);
        mask.apply(grad.row_data(i), grad.row_data(i), length, counter);
      }
      of(dv).noalias() = kept.transpose() * of(dy);
    } else {
      of(dv).noalias() = prob.transpose() * of(dy);
    }
    for (index i = 0; i < length; ++i) softmax_row_backward(prob.row(i), grad.row(i), grad.row(i));
    grad *= scale;
    of(dq).noalias() = grad * of(k);
    of(dk).noalias() = grad.transpose() * of(q);
  });
}

}  // namespace graft::ops
