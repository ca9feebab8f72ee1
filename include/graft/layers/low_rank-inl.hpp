#pragma once
// Bodies of graft/layers/low_rank.hpp.

#include "graft/core/compiled.hpp"
#include "graft/layers/low_rank.hpp"

namespace graft {

template <class P>
low_rank<P>::low_rank(const std::string& prefix, index in, index out, index r, double alpha)
    : a(parameter<real>::factor(prefix + ".lora_A.weight", parameter_role::adapter, r, in)),
      b(parameter<real>::factor(prefix + ".lora_B.weight", parameter_role::adapter, out, r)),
      scale_(static_cast<real>(alpha / static_cast<double>(r))) {}

template <class P>
auto low_rank<P>::project(const packed_a<P>& x, context& ctx) const -> view<real> {
  const auto w = weight_factor<P>(a, transpose::yes, ctx);
  const auto mask = mask_of(x.rows(), ctx);
  if (!mask.active()) return scaled(x, w, ctx);
  return scaled(x.changed(ctx, [&](real* numbers, index row, index col, index n) { mask.apply(numbers, row, col, n); }), w, ctx);
}

template <class P>
auto low_rank<P>::project_back(const packed_a<P>& dy, context& ctx) const -> view<real> {
  return scaled(dy, weight_factor<P>(b, transpose::no, ctx), ctx);
}

template <class P>
void low_rank<P>::add_forward(const_view<real> u, view<real> block, index row, index col) const {
  block += u.middleRows(row, block.rows()).lazyProduct(b.value().middleRows(col, block.cols()).transpose());
}

template <class P>
void low_rank<P>::add_backward(const_view<real> du, view<real> block, index row, index col, const context& ctx) const {
  const auto mask = mask_of(du.rows(), ctx);
  const const_view<real> rows = du.window(row, 0, block.rows(), du.cols()), columns = a.value().window(0, col, a.rows(), block.cols());
  if (!mask.active()) {
    block += rows.lazyProduct(columns);
    return;
  }
  alignas(64) real numbers[detail::block_side * detail::block_side];
  view<real> own(numbers, block.rows(), block.cols());
  own = rows.lazyProduct(columns);
  mask.apply(own, row, col);
  block += own;
}

template <class P>
auto low_rank<P>::scaled(const packed_a<P>& x, const packed_b<P>& w, context& ctx) const -> view<real> {
  view<real> u = ctx.memory.take<real>(x.rows(), w.columns());
  product<P>(x, w, ctx, [&](index row, index col, const auto& block) { u.window(row, col, block.rows(), block.cols()) = scale_ * block; });
  return u;
}

}  // namespace graft
