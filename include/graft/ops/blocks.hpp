#pragma once
// Moving blocks of products in and out of matrices that may be kept in a shorter type.

#include <type_traits>

#include "graft/core/bfloat16.hpp"
#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"

namespace graft::ops {

/// Writes BLOCK into TO, from (ROW, COL) on.
template <class T, class S>
void write_block(const view<T>& block, view<S> to, index row, index col) {
  for (index i = 0; i < block.rows(); ++i) convert(block.row_data(i), to.row_data(row + i) + col, block.cols());
}

/// N numbers of M from (ROW, COL) on, as T: where they lie, or converted into OWN.
template <class T, class S>
const T* piece_as(const const_view<S>& m, index row, index col, index n, T* own) {
  const S* from = m.row_data(row) + col;
  if constexpr (std::is_same_v<S, T>) {
    return from;
  } else {
    convert(from, own, n);
    return own;
  }
}

/// y += x over rows.
template <class T>
void add_rows(const_view<T> x, view<T> y, context& ctx) {
  parallel_for(x.rows(), 16, ctx.threads,
               [&](index begin, index end) { y.middleRows(begin, end - begin) += x.middleRows(begin, end - begin); });
}

}  // namespace graft::ops
