#pragma once
// The scaled parallel adapter of He et al. 2022.

#include "graft/adapters/adapter_kind.hpp"

namespace graft {

/// y = LN(h + x + U(x)): the adapter reads what the feed-forward part reads, beside it, and is added to its output
/// Backward:  du = LN's dx of dy;   dh = du;   dx = du + U's of du
/// U's scaling s is 4 in the paper.
/// Source: He et al. 2022, table 1 and section 3.   Tested: tests/adapters/site_test.cpp
template <class P>
class parallel_adapter {
 public:
  using precision = P;
  using real = typename P::real;
  static constexpr std::string_view name = "parallel";
  struct saved {
    typename bottleneck<P>::saved module;
    typename layer_norm<P>::saved norm;
  };

  static bool stands_at(const adapter_options&, site_location where) { return where.behind == sub_layer::feed_forward; }

  /// Parameters PREFIX.{down,up}_project.*
  parallel_adapter(const std::string& prefix, index hidden_size, const adapter_options& o, site_location)
      : module(prefix, hidden_size, o.size, o.act, o.scaling) {}

  void forward(const_view<real> h, const_view<real> x, const layer_norm<P>& norm, view<real> y, saved* s, context& ctx) const {
    detail::add_update<P>(module, x, h, norm.residual(x), y, s != nullptr ? &s->module : nullptr, ctx);
    norm.forward(y, y, s != nullptr ? &s->norm : nullptr, ctx);
  }
  void backward(const_view<real> dy, const saved& s, layer_norm<P>& norm, view<real>* dh, view<real>* dx, context& ctx) {
    scratch::mark mark(ctx.memory);
    const bool below = dx != nullptr || is_trainable(module);
    view<real> du = dh != nullptr ? *dh : ctx.memory.take<real>(below ? dy.rows() : 0, dy.cols());
    norm.backward(dy, s.norm, below || dh != nullptr ? &du : nullptr, ctx);
    if (below) module.update_backward(du, s.module, norm.normalizes() ? real(1) : real(0), dx, ctx);
  }

  void for_each_parameter(parameter_visitor<real> f) { module.for_each_parameter(f); }
  index saved_numbers(index h) const { return h + 1 + module.saved_numbers(); }

  bottleneck<P> module;  // U
};

static_assert(adapter_kind<parallel_adapter<f64>> && adapter_kind<parallel_adapter<f32>> && adapter_kind<parallel_adapter<bf16>>);

}  // namespace graft
