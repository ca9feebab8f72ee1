#pragma once
// A site with one adapter.

#include <cstdint>
#include <string>

#include "graft/adapters/bottleneck.hpp"
#include "graft/layers/layer_norm.hpp"

namespace graft {

/// Where adapters sit.   houlsby: at both sites of a layer, before the LayerNorm.   pfeiffer: at the feed-forward site alone, behind it.
enum class adapter_placement : std::uint8_t { houlsby, pfeiffer };

inline std::string placement_name(adapter_placement p) { return p == adapter_placement::houlsby ? "houlsby" : "pfeiffer"; }

/// @throws config_error  TEXT is neither of the two
inline adapter_placement parse_placement(const std::string& text) {
  if (text == "houlsby") return adapter_placement::houlsby;
  if (text == "pfeiffer") return adapter_placement::pfeiffer;
  throw config_error("adapter_placement is \"" + text + "\", houlsby or pfeiffer was expected");
}

/// y = LN(A(h) + x)          Backward:  dx = LN's dx;   dh = A's dh of that
/// @param  h, x  (N, H) sub-layer output and residual            @param[out] y  (N, H)
/// Saved: what A and LN save.   Source: Houlsby et al. 2019, figure 2.   Tested: tests/adapters/site_test.cpp
template <class P>
class adapter_site {
 public:
  using real = typename P::real;
  struct saved {
    typename bottleneck<P>::saved adapter;
    typename layer_norm<P>::saved norm;
  };

  /// Parameters ADAPTER_PREFIX.{down,up}_project.* and NORM_PREFIX.*
  adapter_site(const std::string& adapter_prefix, const std::string& norm_prefix, index hidden_size, index size, double eps,
               activation act = activation::gelu)
      : adapter(adapter_prefix, hidden_size, size, act), norm(norm_prefix, hidden_size, eps) {}

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
    adapter.forward(h, y, s != nullptr ? &s->adapter : nullptr, ctx);
    y += x;
    norm.forward(y, y, s != nullptr ? &s->norm : nullptr, ctx);
  }
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
    scratch::mark mark(ctx.memory);
    const bool deeper = dh != nullptr || dx != nullptr || is_trainable(adapter);
    view<real> dsum = ctx.memory.take<real>(dy.rows(), dy.cols());
    norm.backward(dy, s.norm, deeper ? &dsum : nullptr, ctx);
    if (dh != nullptr || is_trainable(adapter)) adapter.backward(dsum, s.adapter, dh, ctx);
    if (dx != nullptr) *dx = dsum;
  }

  template <class F>
  void for_each_parameter(F&& f) {
    adapter.for_each_parameter(f);
    norm.for_each_parameter(f);
  }

  bottleneck<P> adapter;
  layer_norm<P> norm;
};

static_assert(site<adapter_site<f64>> && site<adapter_site<f32>>);

}  // namespace graft
