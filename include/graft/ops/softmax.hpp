#pragma once
// Softmax over a row.

#include "graft/core/types.hpp"

namespace graft::ops {

/// p = exp(s - max s) / sum, in place, for one row (1, T).
template <class Row>
void softmax_row(Row&& s) {
  s.array() = (s.array() - s.maxCoeff()).exp();
  s /= s.sum();
}

/// ds = SCALE p (dp - <dp, p>), for one row; ds may be dp's memory.
template <class P, class Dp, class T, class Ds>
void softmax_row_backward(const P& p, const Dp& dp, T scale, Ds&& ds) {
  const T projection = dp.dot(p);
  ds.array() = scale * p.array() * (dp.array() - projection);
}

}  // namespace graft::ops
