#pragma once
// Bodies of graft/layers/mixing_weights.hpp.

#include "graft/layers/mixing_weights.hpp"
#include "graft/ops/softmax.hpp"

namespace graft {

template <class P>
void mixing_weights<P>::forward(view<real> w) const {
  w = v.value();
  if (mode_ == mixing_mode::softmax) ops::softmax_row(w.row(0));
  if (mode_ == mixing_mode::gates) w.array() = real(1) / (real(1) + (-w.array()).exp());
}

template <class P>
view<typename P::real> mixing_weights<P>::current(context& ctx) const {
  view<real> w = ctx.memory.take<real>(1, count());
  forward(w);
  return w;
}

template <class P>
void mixing_weights<P>::backward(const_view<real> dw, const_view<real> w, context& ctx) {
  if (!v.is_trained()) return;
  auto dv = gradient_of(v, ctx).row(0).array();
  const auto mixed = w.row(0).array(), d = dw.row(0).array();
  if (mode_ == mixing_mode::softmax) dv += mixed * (d - (mixed * d).sum());
  if (mode_ == mixing_mode::gates) dv += d * mixed * (real(1) - mixed);
  if (mode_ == mixing_mode::weights) dv += d;
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class mixing_weights<GRAFT_PRECISION>;
#endif

}  // namespace graft
