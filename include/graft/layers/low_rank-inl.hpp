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
  if (!mask.active()) return ops::taken_product<P>(x, w, ctx, ops::scale<real>{scale_});
  const auto seen = x.changed(ctx, [&](real* numbers, index row, index col, index n) { mask.apply(numbers, numbers, row, col, n); });
  return ops::taken_product<P>(seen, w, ctx, ops::scale<real>{scale_});
}

template <class P>
auto low_rank<P>::project_back(const packed_a<P>& dy, context& ctx) const -> view<real> {
  return ops::taken_product<P>(dy, weight_factor<P>(b, transpose::no, ctx), ctx, ops::scale<real>{scale_});
}

}  // namespace graft
