#pragma once
// The adapter of Pfeiffer et al. 2020.

#include "graft/adapters/adapter_kind.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft {

/// y = LN(h + x + U(t)),   t = LN(h + x): the same LN twice; behind the feed-forward part alone
/// Backward:  du = LN's dx of dy;   dt = U's of du;   dx = dh = du + LN's dx of dt
/// Source: Pfeiffer et al. 2020, section 3.   Tested: tests/adapters/site_test.cpp
template <class P>
class pfeiffer_adapter {
 public:
  using precision = P;
  using real = typename P::real;
  static constexpr std::string_view name = "pfeiffer";
  static constexpr bool reads_norm = true;
  struct saved {
    typename bottleneck<P>::saved module;
    typename layer_norm<P>::saved inner;  // of t
    typename layer_norm<P>::saved norm;
  };

  static bool stands_at(const adapter_options&, site_location where) { return where.behind == sub_layer::feed_forward; }

  /// Parameters PREFIX.{down,up}_project.*
  pfeiffer_adapter(const std::string& prefix, index hidden_size, const adapter_options& o, site_location)
      : module(prefix, hidden_size, o.size, o.act, o.scaling) {}

  void forward(const_view<real> h, const_view<real> x, const layer_norm<P>& norm, view<real> y, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    view<real> t = ctx.memory.take<real>(h.rows(), h.cols());
    norm.forward(h, x, t, s != nullptr ? &s->inner : nullptr, ctx);
    detail::add_update<P>(module, t, h, norm.residual(x), y, s != nullptr ? &s->module : nullptr, ctx);
    norm.forward(y, y, s != nullptr ? &s->norm : nullptr, ctx);
  }
  void backward(const_view<real> dy, const saved& s, layer_norm<P>& norm, view<real>* dh, view<real>* dx, context& ctx) {
    scratch::mark mark(ctx.memory);
    const bool through = dh != nullptr || dx != nullptr || is_trainable(norm);  // t's LayerNorm
    const bool below = through || is_trainable(module);
    view<real> du = dx != nullptr ? *dx : ctx.memory.take<real>(below ? dy.rows() : 0, dy.cols());
    norm.backward(dy, s.norm, below ? &du : nullptr, ctx);
    if (!below) return;
    view<real> dt = ctx.memory.take<real>(through ? dy.rows() : 0, dy.cols());
    module.update_backward(du, s.module, real(0), through ? &dt : nullptr, ctx);
    if (through) {
      norm.backward(dt, s.inner, &dt, ctx);
      ops::add_rows<real>(dt, du, ctx);
    }
    if (dh != nullptr) convert_rows(const_view<real>(du), *dh, ctx.threads);
    if (dx != nullptr && !norm.normalizes()) *dx = dt;
  }

  void for_each_parameter(parameter_visitor<real> f) { module.for_each_parameter(f); }
  index saved_numbers(index h) const { return 2 * (h + 1) + module.saved_numbers(); }

  bottleneck<P> module;  // U
};

static_assert(adapter_kind<pfeiffer_adapter<f64>> && adapter_kind<pfeiffer_adapter<f32>> && adapter_kind<pfeiffer_adapter<bf16>>);

}  // namespace graft
