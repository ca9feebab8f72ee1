#pragma once
// Layer normalization without its parameters' bookkeeping.

#include <omp.h>

#include <cmath>
#include <type_traits>

#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"
#include "graft/ops/blocks.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft::ops {

/// mu and r = 1 / sqrt(var + eps) of a row, with the biased variance. No number comes of a variance too large for T, of which zeros would
/// look like an answer.
template <class T>
struct row_statistics {
  template <class Row>
  row_statistics(const Row& x, T eps) : mean(x.mean()) {
    const T variance = (x.array() - mean).square().sum() / T(x.size());
    r = T(1) / std::sqrt(variance + eps) + (variance - variance);
  }

  T mean, r;  // mu, r
};

/// xhat = (x - mu) r for one row.   x, xhat (1, H), may be the same memory. Returns r.
template <class T, class In, class Out>
T normalize_row(const In& x, Out&& xhat, T eps) {
  const row_statistics<T> row(x, eps);
  xhat.array() = (x.array() - row.mean) * row.r;
  return row.r;
}

/// y = g xhat + b over rows of x, or of x + RESIDUAL where that has rows;   x, y (N, H), g, b (1, H).   xhat (N, H), which may be kept in a
/// shorter type, and r (N, 1) are written unless they have no rows.   y may be x's memory or the residual's. Source: Ba et al. 2016,
/// eq. 3-4; torch.nn.LayerNorm.   Tested: tests/ops/layer_norm_test.cpp
template <class T, class S = T>
void layer_norm_forward(const_view<T> x, const_view<T> residual, const_view<T> g, const_view<T> b, T eps, view<T> y,
                        std::type_identity_t<view<S>> xhat, view<T> r, context& ctx) {
  const timed time(ctx.times, operation::normalization);
  parallel_for(x.rows(), 4, ctx.threads, [&](index begin, index end) {
    for (index i = begin; i < end; ++i) {
      auto row = y.row(i);
      if (residual.rows() > 0) row = x.row(i) + residual.row(i);
      const T scale = residual.rows() > 0 ? normalize_row<T>(row, row, eps) : normalize_row<T>(x.row(i), row, eps);
      if (r.rows() > 0) r(i, 0) = scale;
      if (xhat.rows() > 0) convert(y.row_data(i), xhat.row_data(i), y.cols());
      row.array() = row.array() * g.row(0).array() + b.row(0).array();
    }
  });
}

/// dx = r (u - mean(u) - xhat mean(u xhat)),   u = g dy, for one row.   dx may be u's or xhat's memory.
template <class T, class U, class Xhat, class Dx>
void normalize_row_backward(const U& u, const Xhat& xhat, T r, Dx&& dx) {
  const T mean = u.mean();
  const T projection = u.dot(xhat) / T(u.size());
  dx.array() = r * (u.array() - mean - projection * xhat.array());
}

/// dx as normalize_row_backward;   dg += sum dy xhat,   db += sum dy.   Skipped: dx when null, dg and db without rows.   dx may be dy's
/// memory.
template <class T, class S = T>
void layer_norm_backward(const_view<T> dy, std::type_identity_t<const_view<S>> xhat, const_view<T> r, const_view<T> g, view<T>* dx,
                         view<T> dg, view<T> db, context& ctx) {
  const timed time(ctx.times, operation::normalization);
  const index width = dy.cols();
  scratch::mark mark(ctx.memory);
  view<T> converted = ctx.memory.take_rows<T>(ctx.threads, width);
  view<T> both = ctx.memory.take<T>(1, 2 * width);  // dg, db
  both.setZero();
  const auto rows = [&](index begin, index end, view<T>* sum) {
    for (index i = begin; i < end; ++i) {
      const const_view<T> normalized(segment_as<T>(xhat, i, 0, width, converted.row_data(omp_get_thread_num())), 1, width);
      if (sum != nullptr) {
        sum->row(0).head(width).array() += dy.row(i).array() * normalized.row(0).array();
        sum->row(0).tail(width) += dy.row(i);
      }
      if (dx == nullptr) continue;
      dx->row(i).array() = dy.row(i).array() * g.row(0).array();
      normalize_row_backward<T>(dx->row(i), normalized.row(0), r(i, 0), dx->row(i));
    }
  };
  if (dg.rows() + db.rows() > 0) {
    sum_blocks<T>(dy.rows(), both, ctx, [&](index begin, index end, view<T> sum) { rows(begin, end, &sum); });
  } else if (dx != nullptr) {
    parallel_for(dy.rows(), 4, ctx.threads, [&](index begin, index end) { rows(begin, end, nullptr); });
  }
  if (dg.rows() > 0) dg.row(0) += both.row(0).head(width);
  if (db.rows() > 0) db.row(0) += both.row(0).tail(width);
}

}  // namespace graft::ops
