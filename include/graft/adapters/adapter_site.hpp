#pragma once
// A site with one adapter, or with none.

#include <cstdint>
#include <optional>
#include <string>

#include "graft/adapters/bottleneck.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/layers/layer_norm.hpp"

namespace graft {

/// u = h + x + U(t),   y = LN(u);   t = h before the LayerNorm (so y = LN(A(h) + x)), t = LN(h + x) behind it: the same LN twice;
/// without adapter U = 0.
/// Backward:  du = LN's dx of dy;   dt = U's of du;   before: dx = du, dh = du + dt;   behind: dx = dh = du + LN's dx of dt
/// @param  h, x  (N, H) sub-layer output and residual            @param[out] y  (N, H)
/// Saved: what U and LN save; behind the LayerNorm, LN's twice.
/// Source: Houlsby et al. 2019, figure 2; Pfeiffer et al. 2020, section 3.   Tested: tests/adapters/site_test.cpp
template <class P>
class adapter_site {
 public:
  using real = typename P::real;
  struct saved {
    typename bottleneck<P>::saved adapter;
    typename layer_norm<P>::saved inner;  // behind_norm: of LN(h + x)
    typename layer_norm<P>::saved norm;
  };

  /// Parameters ADAPTER_PREFIX.{down,up}_project.* and NORM_PREFIX.*
  adapter_site(const std::string& adapter_prefix, const std::string& norm_prefix, index hidden_size, index size, double eps,
               activation act = activation::gelu, adapter_place place = adapter_place::before_norm);

  adapter_place place() const { return place_; }

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx);

  template <class F>
  void for_each_parameter(F&& f) {
    if (adapter) adapter->for_each_parameter(f);
    norm.for_each_parameter(f);
  }

  std::optional<bottleneck<P>> adapter;
  layer_norm<P> norm;

 private:
  adapter_place place_;
};

static_assert(site<adapter_site<f64>> && site<adapter_site<f32>> && site<adapter_site<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/adapter_site-inl.hpp"  // IWYU pragma: export
#endif
