#pragma once
// A site without an adapter.

#include "graft/adapters/adapter_kind.hpp"

namespace graft {

/// y = LN(h + x)          Backward:  dh = dx = LN's dx
/// Where another kind does not stand, and the base of a mix.   Tested: tests/adapters/site_test.cpp
template <class P>
class no_adapter {
 public:
  using precision = P;
  using real = typename P::real;
  static constexpr std::string_view name = "none";
  using saved = typename layer_norm<P>::saved;

  static bool stands_at(const adapter_options&, site_location) { return true; }

  no_adapter() = default;
  /// As every kind is made; nothing is kept of it.
  no_adapter(const std::string&, index, const adapter_options&, site_location) {}

  void forward(const_view<real> h, const_view<real> x, const layer_norm<P>& norm, view<real> y, saved* s, context& ctx) const {
    const const_view<real> residual = norm.residual(x);
    norm.forward(h, residual, y, s, ctx);
  }
  void backward(const_view<real> dy, const saved& s, layer_norm<P>& norm, view<real>* dh, view<real>* dx, context& ctx) {
    view<real>* const first = dx != nullptr ? dx : dh;
    norm.backward(dy, s, first, ctx);
    if (dh != nullptr && dx != nullptr) convert_rows(const_view<real>(*dx), *dh, ctx.threads);
    if (dx != nullptr && !norm.normalizes()) dx->setZero();
  }

  void for_each_parameter(parameter_visitor<real>) {}
  index saved_numbers(index h) const { return h + 1; }
};

static_assert(adapter_kind<no_adapter<f64>> && adapter_kind<no_adapter<f32>> && adapter_kind<no_adapter<bf16>>);

}  // namespace graft
