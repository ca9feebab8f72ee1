#pragma once
// Sums over rows, as gradients of biases and of weights of a mix need them.

#include <type_traits>

#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"

namespace graft::ops {

/// out += sum of f(row begin .. end - 1) over blocks of 64 rows; f(begin, end, partial) adds its rows to the zeroed `partial` (1, OUT).
/// Blocks are summed in order, so the result does not depend on the number of threads.
template <class T, class F>
void sum_blocks(index rows, view<T> out, context& ctx, F&& f) {
  constexpr index grain = 64;  // rows, added up alone, whatever the number of threads
  const index blocks = (rows + grain - 1) / grain;
  scratch::mark mark(ctx.memory);
  auto partial = ctx.memory.take<T>(blocks, out.cols());
  parallel_for(rows, grain, ctx.threads, [&](index begin, index end) {
    auto sum = partial.window(begin / grain, 0, 1, out.cols());
    sum.setZero();
    f(begin, end, sum);
  });
  for (index p = 0; p < blocks; ++p) out += partial.row(p);
}

/// out (1, 1) += <a, b>, the sum over all of their numbers.
template <class T>
void add_dot(const_view<T> a, const_view<T> b, view<T> out, context& ctx) {
  sum_blocks<T>(a.rows(), out, ctx, [&](index begin, index end, view<T> sum) {
    for (index r = begin; r < end; ++r) sum(0, 0) += a.row(r).dot(b.row(r));
  });
}

/// out (1, C) += column sums of x (N, C), which may be kept in a shorter type.
template <class T, class S = T>
void add_column_sum(std::type_identity_t<const_view<S>> x, view<T> out, context& ctx) {
  const timed time(ctx.times, operation::column_sum);
  sum_blocks<T>(x.rows(), out, ctx, [&](index begin, index end, view<T> sum) {
    T* total = sum.data();
    const index width = x.cols();
    for (index r = begin; r < end; ++r) {
      const S* row = x.row_data(r);
#pragma omp simd
      for (index c = 0; c < width; ++c) total[c] += number(row[c]);
    }
  });
}

}  // namespace graft::ops
