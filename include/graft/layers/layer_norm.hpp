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
/// With eps 0 there is no normalization, as at the sites of a layer that normalizes what its parts read: y = x + RESIDUAL, no parameters.
/// @throws shape_error  x.cols() != H
/// Source: Ba et al. 2016, eq. 3-4; torch.nn.LayerNorm.   Tested: tests/layers/layer_norm_test.cpp
template <class P>
class layer_norm {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  struct saved {
    buffer<operand> xhat;
    buffer<real> r;
  };

  /// Parameters PREFIX.weight (ones) and, if it is SHIFTED, PREFIX.bias (zeros).
  layer_norm(const std::string& prefix, index size, double eps, bool shifted = true)
      : weight(parameter<real>::vector(prefix + ".weight", parameter_role::layer_norm, size, real(1))),
        bias(parameter<real>::vector(prefix + ".bias", parameter_role::layer_norm, size)),
        eps_(static_cast<real>(eps)),
        shifted_(shifted && eps != 0) {}

  real eps() const { return eps_; }
  /// Whether there is a normalization. Where there is none, the layer adds the residual itself, behind the site.
  bool normalizes() const { return eps_ != real(0); }
  /// The residual X as a site adds it: nothing, of no rows, where the layer does.
  const_view<real> residual(const const_view<real>& x) const { return normalizes() ? x : const_view<real>(nullptr, 0, x.cols()); }

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const { forward(x, {nullptr, 0, 0}, y, s, ctx); }
  /// y = LN(x + RESIDUAL), or LN(x) where that has no rows.
  void forward(const_view<real> x, const_view<real> residual, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
    if (normalizes()) f(weight);
    if (shifted_) f(bias);
  }

  parameter<real> weight;  // gamma
  parameter<real> bias;    // beta

 private:
  real eps_;
  bool shifted_;
};

static_assert(layer<layer_norm<f64>> && layer<layer_norm<f32>> && layer<layer_norm<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/layer_norm-inl.hpp"  // IWYU pragma: export
#endif
