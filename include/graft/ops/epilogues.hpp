#pragma once
// Epilogues: what becomes of the blocks of a product while they are in cache. Each is called with the position of a block's first element,
// a row and a column of the product, and the block itself; several go one after the other, in the order in which a product was given them.

#include <algorithm>
#include <cstdint>

#include "graft/core/types.hpp"
#include "graft/gemm/gemm.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/blocks.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/gelu.hpp"

namespace graft::ops {

/// to = block, in TO's type: a matrix, or the next product's input. TO is all of the product, or as many columns of it as it has, from
/// FIRST on. A matrix without rows takes nothing.
template <class To>
struct store {
  To to;
  index first = 0;

  template <class T>
  void operator()(index row, index col, view<T>& block) const {
    if constexpr (requires { to.store(row, col, block); }) {
      to.store(row, col, block);
    } else {
      const index begin = std::max(col, first), end = std::min(col + block.cols(), first + to.cols());
      if (to.rows() == 0 || begin >= end) return;
      for_each_row(block.window(0, begin - col, block.rows(), end - begin),
                   [&](index i, auto width) { convert(block.row_data(i) + begin - col, to.row_data(row + i) + begin - first, width); });
    }
  }
};

/// block += f x, x (N, columns of the product): a residual. f = 0 does not read x.
template <class T>
struct add {
  const_view<T> x;
  T factor = 1;

  void operator()(index row, index col, view<T>& block) const {
    if (factor == T(0)) return;
    for_each_row(block, [&](index i, auto width) {
      const T* from = x.row_data(row + i) + col;
      T* to = block.row_data(i);
#pragma omp simd
      for (index c = 0; c < width; ++c) to[c] += factor * from[c];
    });
  }
};

/// x W^T + b, or x W, in scratch memory, every block of which went through EPILOGUES.
template <class P, class... E>
view<typename P::real> taken_product(const product_input<P>& x, const product_weight<P>& weight, context& ctx, const E&... epilogues) {
  view<typename P::real> y = ctx.memory.take<typename P::real>(x.rows(), weight.columns());
  product<P>(x, weight, ctx, epilogues..., store<view<typename P::real>>{y});
  return y;
}

/// to = block + f to: what a gradient had before stays in it.
template <class T>
struct accumulate {
  view<T> to;
  T factor = 1;

  void operator()(index row, index col, view<T>& block) const {
    add<T>{to, factor}(row, col, block);
    store<view<T>>{to}(row, col, block);
  }
};

/// block_ij += b_j, b (1, columns of the product): a bias.
template <class T>
struct add_row {
  const_view<T> b;

  void operator()(index, index col, view<T>& block) const { add_to_rows(b.data() + col, block); }
};

/// block *= s
template <class T>
struct scale {
  T s;

  void operator()(index, index, view<T>& block) const {
    if (s == T(1)) return;
    for_each_row(block, [&](index i, auto width) {
      T* to = block.row_data(i);
#pragma omp simd
      for (index c = 0; c < width; ++c) to[c] *= s;
    });
  }
};

/// block_ij *= g_i, g (N, 1): a gate.
template <class T>
struct scale_rows {
  const_view<T> g;

  void operator()(index row, index, view<T>& block) const {
    for (index i = 0; i < block.rows(); ++i) block.row(i) *= g(row + i, 0);
  }
};

/// block += u B^T, u (N, r), B (columns of the product, r): a low-rank term.
template <class T>
struct add_low_rank {
  const_view<T> u, b;

  void operator()(index row, index col, view<T>& block) const {
    block += u.middleRows(row, block.rows()).lazyProduct(b.middleRows(col, block.cols()).transpose());
  }
};

/// block += m (u A), u (N, r), A (r, columns of the product), m a MASK: the same backward.
template <class T>
struct add_low_rank_backward {
  const_view<T> u, a;
  matrix_dropout<T> mask;

  void operator()(index row, index col, view<T>& block) const {
    const const_view<T> rows = u.window(row, 0, block.rows(), u.cols()), columns = a.window(0, col, a.rows(), block.cols());
    if (!mask.active()) {
      block += rows.lazyProduct(columns);
      return;
    }
    alignas(64) T numbers[detail::block_side * detail::block_side];
    view<T> update(numbers, block.rows(), block.cols());
    update = rows.lazyProduct(columns);
    mask(row, col, update);
    block += update;
  }
};

/// block = a(block). a' is kept in DERIVATIVES, which has the product's shape, or no rows: not kept. APPROXIMATE: as exact as 8 bits are.
template <class S = std::uint8_t>
struct activate {
  activation a;
  view<S> derivatives{nullptr, 0, 0};
  bool approximate = false;

  template <class T>
  void operator()(index row, index col, view<T>& block) const {
    alignas(64) T derivative[detail::block_side];
    if (derivatives.rows() == 0) {
      const bool dense = block.cols() == block.stride();  // many at once: none waits for the one before
      view<T> rows(block.data(), dense ? 1 : block.rows(), dense ? block.size() : block.cols(), dense ? block.size() : block.stride());
      for (index i = 0; i < rows.rows(); ++i) {
        if (approximate && a == activation::gelu) {
          approximate_gelu(rows.row_data(i), rows.row_data(i), rows.cols());
        } else {
          activate_row<T>(a, rows.row(i), rows.row(i));
        }
      }
      return;
    }
    for_each_row(block, [&](index i, auto width) {
      T* z = block.row_data(i);
      if (a == activation::gelu) {
        gelu_with_derivative(z, z, derivative, width);
      } else {
        view<T> d(derivative, 1, width);
        d.setOnes();
        activate_row_backward<T>(a, d.row(0), block.row(i), d.row(0));
        activate_row<T>(a, block.row(i), block.row(i));
      }
      save_gelu_derivative(derivative, derivatives.row_data(row + i) + col, width);
    });
  }
};

/// block *= a'(z), as `activate` kept it.
template <class S>
struct scale_by_derivative {
  const_view<S> derivatives;

  template <class T>
  void operator()(index row, index col, view<T>& block) const {
    for_each_row(block,
                 [&](index i, auto width) { scale_by_gelu_derivative(block.row_data(i), derivatives.row_data(row + i) + col, width); });
  }
};

/// block *= a'(z), from z, which may be kept in a shorter type.
template <class S>
struct activate_backward {
  activation a;
  const_view<S> z;

  template <class T>
  void operator()(index row, index col, view<T>& block) const {
    alignas(64) T converted[detail::block_side];
    for (index i = 0; i < block.rows(); ++i) {
      const const_view<T> z_row(segment_as<T>(z, row + i, col, block.cols(), converted), 1, block.cols());
      activate_row_backward<T>(a, block.row(i), z_row.row(0), block.row(i));
    }
  }
};

/// @cond
template <class To, class... First>
store(To, First...) -> store<To>;
template <class M, class... F>
add(const M&, F...) -> add<typename M::Scalar>;
template <class T, class... F>
accumulate(view<T>, F...) -> accumulate<T>;
template <class M>
add_row(const M&) -> add_row<typename M::Scalar>;
template <class M>
scale_rows(const M&) -> scale_rows<typename M::Scalar>;
activate(activation)->activate<>;
template <class M>
activate(activation, const M&, bool = false) -> activate<typename M::Scalar>;
template <class M>
scale_by_derivative(const M&) -> scale_by_derivative<typename M::Scalar>;
template <class M>
activate_backward(activation, const M&) -> activate_backward<typename M::Scalar>;
/// @endcond

}  // namespace graft::ops
