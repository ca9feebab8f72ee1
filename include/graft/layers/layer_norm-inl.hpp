#pragma once
// Bodies of graft/layers/layer_norm.hpp.

#include "graft/core/compiled.hpp"
#include "graft/layers/layer_norm.hpp"
#include "graft/ops/layer_norm.hpp"
#include "graft/ops/mixed_adapters.hpp"

namespace graft {

template <class P>
layer_norm<P>::layer_norm(const std::string& prefix, index size, double eps, bool shifted)
    : weight(parameter<real>::vector(prefix + ".weight", parameter_role::layer_norm, size, real(1))),
      bias(parameter<real>::vector(prefix + ".bias", parameter_role::layer_norm, size)),
      eps_(static_cast<real>(eps)),
      shifted_(shifted && eps != 0) {}

template <class P>
void layer_norm<P>::forward(const_view<real> x, view<real> y, saved* s, context& ctx) const {
  forward(x, nullptr, y, s, ctx);
}

template <class P>
void layer_norm<P>::forward(const_view<real> x, const const_view<real>* residual, view<real> y, saved* s, context& ctx) const {
  check_shape(x.cols() == weight.cols(), weight.name, "x", x, [&] { return "needs " + std::to_string(weight.cols()) + " columns"; });
  if (!normalizes()) {
    if (y.data() != x.data()) convert_rows(x, y, ctx.threads);
    if (residual != nullptr && residual->rows() > 0) ops::add_rows<real>(*residual, y, ctx);
    return;
  }
  if (residual != nullptr && residual->rows() == 0) residual = nullptr;
  if (s == nullptr) {
    ops::layer_norm_forward<real>(x, residual, weight.value(), bias.value(), eps_, y, nullptr, nullptr, ctx);
    return;
  }
  view<typename P::operand> xhat = s->xhat.resize(x.rows(), x.cols());
  view<real> r = s->r.resize(x.rows(), 1);
  ops::layer_norm_forward<real, typename P::operand>(x, residual, weight.value(), bias.value(), eps_, y, &xhat, &r, ctx);
}

template <class P>
void layer_norm<P>::backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  if (!normalizes()) {
    if (dx != nullptr && dx->data() != dy.data()) convert_rows(dy, *dx, ctx.threads);
    return;
  }
  view<real> dg = weight.is_trained() ? gradient_of(weight, ctx) : view<real>(nullptr, 0, 0);
  view<real> db = bias.is_trained() ? gradient_of(bias, ctx) : view<real>(nullptr, 0, 0);
  ops::layer_norm_backward<real, typename P::operand>(dy, s.xhat, s.r, weight.value(), dx, weight.is_trained() ? &dg : nullptr,
                                                      bias.is_trained() ? &db : nullptr, ctx);
}

}  // namespace graft
