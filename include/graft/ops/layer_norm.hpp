#pragma once
// Layer normalization without its parameters' bookkeeping.

#include <cmath>

#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft::ops {

/// xhat = (x - mu) r,   r = 1 / sqrt(var + eps), biased variance, for one row.   x, xhat (1, H), may be the same memory. Returns r.
template <class T, class In, class Out>
T normalize_row(const In& x, Out&& xhat, T eps) {
  const T mean = x.mean();
  xhat.array() = x.array() - mean;
  const T r = T(1) / std::sqrt(xhat.squaredNorm() / T(x.size()) + eps);
  xhat *= r;
  return r;
}

/// y = g xhat + b over rows;   x, y (N, H), g, b (1, H).   xhat (N, H) and r (N, 1) are written unless null.   y may be x's memory.
/// Source: Ba et al. 2016, eq. 3-4; torch.nn.LayerNorm.   Tested: tests/ops/layer_norm_test.cpp
template <class T>
void layer_norm_forward(const_view<T> x, const_view<T> g, const_view<T> b, T eps, view<T> y, view<T>* xhat, view<T>* r, context& ctx) {
  parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index i = begin; i < end; ++i) {
      auto normalized = xhat != nullptr ? xhat->row(i) : y.row(i);
      const T scale = normalize_row<T>(x.row(i), normalized, eps);
      if (r != nullptr) (*r)(i, 0) = scale;
      y.row(i).array() = normalized.array() * g.row(0).array() + b.row(0).array();
    }
  });
}

/// dx = r (u - mean(u) - xhat mean(u xhat)),   u = g dy, for one row.   dx may be dy's memory.
template <class T, class Dy, class Xhat, class G, class Dx>
void normalize_row_backward(const Dy& dy, const Xhat& xhat, const G& g, T r, Dx&& dx) {
  dx.array() = dy.array() * g.array();
  const T mean = dx.mean();
  const T projection = dx.dot(xhat) / T(dx.size());
  dx.array() = r * (dx.array() - mean - projection * xhat.array());
}

/// dx as normalize_row_backward;   dg += sum dy xhat,   db += sum dy.   dx, dg, db: skipped when null.   dx may be dy's memory.
template <class T>
void layer_norm_backward(const_view<T> dy, const_view<T> xhat, const_view<T> r, const_view<T> g, view<T>* dx, view<T>* dg, view<T>* db,
                         context& ctx) {
  if (dg != nullptr) {
    sum_pieces<T>(dy.rows(), *dg, ctx, [&](index begin, index end, view<T> sum) {
      for (index i = begin; i < end; ++i) sum.array() += dy.row(i).array() * xhat.row(i).array();
    });
  }
  if (db != nullptr) add_column_sum<T>(dy, *db, ctx);
  if (dx == nullptr) return;
  parallel_for(dy.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index i = begin; i < end; ++i) normalize_row_backward<T>(dy.row(i), xhat.row(i), g.row(0), r(i, 0), dx->row(i));
  });
}

}  // namespace graft::ops
