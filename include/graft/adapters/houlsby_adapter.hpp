#pragma once
// The adapter of Houlsby et al. 2019.

#include "graft/adapters/adapter_kind.hpp"

namespace graft {

/// y = LN(h + x + U(h)), at both sites of a layer
/// Backward:  du = LN's dx of dy;   dx = du;   dh = du + U's of du
/// Source: Houlsby et al. 2019, figure 2.   Tested: tests/adapters/site_test.cpp
template <class P>
class houlsby_adapter {
 public:
  using precision = P;
  using real = typename P::real;
  static constexpr std::string_view name = "houlsby";
  static constexpr bool reads_norm = false;
  struct saved {
    typename bottleneck<P>::saved module;
    typename layer_norm<P>::saved norm;
  };

  static bool stands_at(const adapter_options&, site_location) { return true; }

  /// Parameters PREFIX.{down,up}_project.*
  houlsby_adapter(const std::string& prefix, index hidden_size, const adapter_options& o, site_location)
      : module(prefix, hidden_size, o.size, o.act, o.scaling) {}

  void forward(const_view<real> h, const_view<real> x, const layer_norm<P>& norm, view<real> y, saved* s, context& ctx) const {
    detail::add_update<P>(module, h, h, norm.residual(x), y, s != nullptr ? &s->module : nullptr, ctx);
    norm.forward(y, y, s != nullptr ? &s->norm : nullptr, ctx);
  }
  void backward(const_view<real> dy, const saved& s, layer_norm<P>& norm, view<real>* dh, view<real>* dx, context& ctx) {
    scratch::mark mark(ctx.memory);
    const bool below = dh != nullptr || is_trainable(module);
    view<real> du = dx != nullptr ? *dx : ctx.memory.take<real>(below ? dy.rows() : 0, dy.cols());
    norm.backward(dy, s.norm, below || dx != nullptr ? &du : nullptr, ctx);
    if (below) module.backward(du, s.module, dh, ctx);
    if (dx != nullptr && !norm.normalizes()) dx->setZero();
  }

  void for_each_parameter(parameter_visitor<real> f) { module.for_each_parameter(f); }
  index saved_numbers(index h) const { return h + 1 + module.saved_numbers(); }

  bottleneck<P> module;  // U
};

static_assert(adapter_kind<houlsby_adapter<f64>> && adapter_kind<houlsby_adapter<f32>> && adapter_kind<houlsby_adapter<bf16>>);

}  // namespace graft
