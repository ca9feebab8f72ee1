#pragma once
// The site of an encoder without adapters.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/layer_norm.hpp"

namespace graft {

/// y = LN(h + x)          Backward:  dh = dx = LN's dx
/// @param  h, x  (N, H) sub-layer output and residual            @param[out] y  (N, H)
/// Saved: LN's xhat and r.   Source: transformers' RobertaSelfOutput, RobertaOutput.   Tested: tests/adapters/site_test.cpp
template <class P>
class plain_site {
 public:
  using real = typename P::real;
  using saved = typename layer_norm<P>::saved;

  /// Parameters PREFIX.LayerNorm.*
  plain_site(const std::string& prefix, index hidden_size, double eps) : norm(prefix + ".LayerNorm", hidden_size, eps) {}

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx);

  bool reads_sequences() const { return false; }

  void for_each_parameter(parameter_visitor<real> f) { norm.for_each_parameter(f); }

  layer_norm<P> norm;  ///< LN, the sub-layer's own
};

static_assert(site<plain_site<f64>> && site<plain_site<f32>> && site<plain_site<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/plain_site-inl.hpp"  // IWYU pragma: export
#endif
