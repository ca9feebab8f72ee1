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
  const auto mask = mask_of(ctx);
  if (!mask.active()) return scaled(x, w, ctx);
  return scaled(x.changed(ctx, [&](real* numbers, index row, index col, index n) { mask.apply(numbers, row, col, n); }), w, ctx);
}

template <class P>
auto low_rank<P>::project_back(const packed_a<P>& dy, context& ctx) const -> view<real> {
  return scaled(dy, weight_factor<P>(b, transpose::no, ctx), ctx);
}

template <class P>
auto low_rank<P>::scaled(const packed_a<P>& x, const packed_b<P>& w, context& ctx) const -> view<real> {
  view<real> u = ctx.memory.take<real>(x.rows(), w.columns());
  product<P>(x, w, ctx, ops::scale<real>{scale_}, ops::store{u});
  return u;
}

}  // namespace graft
