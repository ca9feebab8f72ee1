#pragma once
// Layer normalization with its parameters.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/precision.hpp"
#include "graft/ops/layer_norm.hpp"

namespace graft {

/// Layer normalization over the last axis:  y = g xhat + b,   xhat = (x - mu) r,   r = 1 / sqrt(var + eps)   (biased variance)
/// Backward:  dx = r (u - mean(u) - xhat mean(u xhat)),  u = g dy;   dg += sum dy xhat;   db += sum dy
/// @param  x  (N, H) rows are tokens            @param[out] y  (N, H), may be x's memory
/// Saved: xhat (N, H), r (N, 1).   Cost: no product; 2 passes over x.   Frozen: dg, db skipped, xhat still needed for dx.
/// @throws shape_error  x.cols() != H
/// Source: Ba et al. 2016, eq. 3-4; torch.nn.LayerNorm.   Tested: tests/layers/layer_norm_test.cpp
template <class P>
class layer_norm {
 public:
  using real = typename P::real;
  struct saved {
    buffer<typename P::operand> xhat;
    buffer<real> r;
  };

  /// Parameters PREFIX.weight (ones) and PREFIX.bias (zeros).
  layer_norm(const std::string& prefix, index size, double eps)
      : weight(parameter<real>::vector(prefix + ".weight", parameter_role::layer_norm, size, real(1))),
        bias(parameter<real>::vector(prefix + ".bias", parameter_role::layer_norm, size)),
        eps_(static_cast<real>(eps)) {}

  real eps() const { return eps_; }

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const { forward(x, nullptr, y, s, ctx); }
  /// y = LN(x + RESIDUAL), or LN(x) where that is null.
  void forward(const_view<real> x, const const_view<real>* residual, view<real> y, saved* s, context& ctx) const {
    check_shape(x.cols() == weight.cols(), weight.name, "x", x, [&] { return "needs " + std::to_string(weight.cols()) + " columns"; });
    if (s == nullptr) {
      ops::layer_norm_forward<real>(x, residual, weight.value(), bias.value(), eps_, y, nullptr, nullptr, ctx);
      return;
    }
    view<typename P::operand> xhat = s->xhat.resize(x.rows(), x.cols());
    view<real> r = s->r.resize(x.rows(), 1);
    ops::layer_norm_forward<real, typename P::operand>(x, residual, weight.value(), bias.value(), eps_, y, &xhat, &r, ctx);
  }
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
    view<real> dg = weight.is_trained() ? weight.gradient() : view<real>(nullptr, 0, 0);
    view<real> db = bias.is_trained() ? bias.gradient() : view<real>(nullptr, 0, 0);
    ops::layer_norm_backward<real, typename P::operand>(dy, s.xhat, s.r, weight.value(), dx, weight.is_trained() ? &dg : nullptr,
                                                        bias.is_trained() ? &db : nullptr, ctx);
  }

  template <class F>
  void for_each_parameter(F&& f) {
    f(weight);
    f(bias);
  }

  parameter<real> weight;
  parameter<real> bias;

 private:
  real eps_;
};

static_assert(layer<layer_norm<f64>> && layer<layer_norm<f32>> && layer<layer_norm<bf16>>);

}  // namespace graft
