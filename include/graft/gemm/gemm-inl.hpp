#pragma once
// Bodies of graft/gemm/gemm.hpp.

#include <algorithm>
#include <new>

#include "graft/gemm/gemm.hpp"
#include "graft/gemm/int8_product.hpp"

namespace graft {

template <class P>
void products(std::span<const product_input<P>> xs, std::span<const product_weight<P>> weights, context& ctx, blocks_function<P> f) {
  using real = typename P::real;
  const auto finish = [&](index i, index row, index col, view<real>& block) {
    if (const real* bias = weights[static_cast<std::size_t>(i) * xs.size()].bias) add_to_rows(bias + col, block);
    f(i, row, col, block);
  };
  if (std::all_of(weights.begin(), weights.end(), [](const auto& w) { return w.is_int8(); })) {
    const auto rights = ctx.memory.take_array<int8_weight>(weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      auto& right = *new (&rights[i]) int8_weight(weights[i].int8());
      if constexpr (std::is_same_v<real, float>) right.bias = weights[i].bias;
    }
    const int8_rows x = xs[0].rounded(ctx);
    std::is_same_v<real, float> ? int8_products<P>(x, rights, ctx, f) : int8_products<P>(x, rights, ctx, finish);
    return;
  }
  const auto lefts = ctx.memory.take_array<packed_a<P>>(xs.size());
  const auto rights = ctx.memory.take_array<packed_b<P>>(weights.size());
  for (std::size_t i = 0; i < xs.size(); ++i) new (&lefts[i]) packed_a<P>(xs[i].packed(ctx));
  for (std::size_t i = 0; i < weights.size(); ++i) new (&rights[i]) packed_b<P>(weights[i].packed(ctx));
  products<P>(std::span<const packed_a<P>>(lefts), std::span<const packed_b<P>>(rights), ctx, finish);
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template void products(std::span<const product_input<GRAFT_PRECISION>>, std::span<const product_weight<GRAFT_PRECISION>>, context&,
                       blocks_function<GRAFT_PRECISION>);
#endif

}  // namespace graft
