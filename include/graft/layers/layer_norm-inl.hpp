#pragma once
// Bodies of graft/layers/layer_norm.hpp.

#include "graft/layers/layer_norm.hpp"

namespace graft {

template <class P>
void layer_norm<P>::forward(const_view<real> x, const_view<real> residual, view<real> y, saved* s, context& ctx) const {
  check_shape(x.cols() == weight.cols(), weight.name, "x", x, [&] { return "needs " + std::to_string(weight.cols()) + " columns"; });
  if (!normalizes()) {
    if (y.data() != x.data()) convert_rows(x, y, ctx.threads);
    ops::add_rows<real>(residual, y, ctx);
    return;
  }
  const view<operand> xhat = s != nullptr ? s->xhat.resize(x.rows(), x.cols()) : view<operand>(nullptr, 0, 0);
  const view<real> r = s != nullptr ? s->r.resize(x.rows(), 1) : view<real>(nullptr, 0, 0);
  ops::layer_norm_forward<real, operand>(x, residual, weight.value(), bias.value(), eps_, y, xhat, r, ctx);
}

template <class P>
void layer_norm<P>::backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  if (!normalizes()) {
    if (dx != nullptr && dx->data() != dy.data()) convert_rows(dy, *dx, ctx.threads);
    return;
  }
  const auto gradient = [&](parameter<real>& w) { return w.is_trained() ? gradient_of(w, ctx) : view<real>(nullptr, 0, 0); };
  ops::layer_norm_backward<real, operand>(dy, s.xhat, s.r, weight.value(), dx, gradient(weight), gradient(bias), ctx);
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class layer_norm<GRAFT_PRECISION>;
#endif

}  // namespace graft
