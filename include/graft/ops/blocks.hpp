#pragma once
// Rows and segments of matrices that may be stored in a shorter type, moved and added.

#include <algorithm>
#include <type_traits>

#include "graft/core/bfloat16.hpp"
#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"
#include "graft/gemm/product.hpp"

namespace graft::ops {

/// N numbers of M from (ROW, COL) on, as T: where they lie, or converted into CONVERTED.
template <class T, class S>
const T* segment_as(const const_view<S>& m, index row, index col, index n, T* converted) {
  const S* from = m.row_data(row) + col;
  if constexpr (std::is_same_v<S, T>) {
    return from;
  } else {
    convert(from, converted, n);
    return converted;
  }
}

/// to (B, .) = the rows of FROM (N, .) where the B sequences of ctx.offsets() begin.
template <class T>
void gather_first_rows(const const_view<T>& from, view<T> to, const context& ctx) {
  for (index b = 0; b < to.rows(); ++b) {
    const T* row = from.row_data(ctx.first_row(b));
    std::copy(row, row + to.cols(), to.row_data(b));
  }
}
/// The way back: TO (N, .) is zero but for those rows.
template <class T>
void scatter_first_rows(const const_view<T>& from, view<T> to, const context& ctx) {
  for (index r = 0; r < to.rows(); ++r) std::fill(to.row_data(r), to.row_data(r) + to.cols(), T(0));
  for (index b = 0; b < from.rows(); ++b) {
    std::copy(from.row_data(b), from.row_data(b) + from.cols(), to.row_data(ctx.first_row(b)));
  }
}
/// y's rows of those += x's.
template <class T>
void add_to_first_rows(const const_view<T>& x, view<T> y, const context& ctx) {
  for (index b = 0; b < x.rows(); ++b) y.row(ctx.first_row(b)) += x.row(b);
}

/// y += x over rows.
template <class T>
void add_rows(const_view<T> x, view<T> y, context& ctx) {
  parallel_for(x.rows(), 4, ctx.threads,
               [&](index begin, index end) { y.middleRows(begin, end - begin) += x.middleRows(begin, end - begin); });
}

}  // namespace graft::ops
