#pragma once
// A site with one adapter, or with none.

#include <cstdint>
#include <optional>
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

/// Where the adapter of one site stands: nowhere, before the LayerNorm (Houlsby) or behind it (Pfeiffer).
enum class adapter_place : std::uint8_t { none, before_norm, behind_norm };

inline adapter_place place_at(adapter_placement placement, bool feed_forward_site) {
  if (placement == adapter_placement::houlsby) return adapter_place::before_norm;
  return feed_forward_site ? adapter_place::behind_norm : adapter_place::none;
}

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
               activation act = activation::gelu, adapter_place place = adapter_place::before_norm)
      : norm(norm_prefix, hidden_size, eps), place_(place) {
    if (place != adapter_place::none) adapter.emplace(adapter_prefix, hidden_size, size, act);
  }

  adapter_place place() const { return place_; }

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
    auto* norm_saved = s != nullptr ? &s->norm : nullptr;
    if (place_ == adapter_place::none) {
      norm.forward(h, &x, y, norm_saved, ctx);
      return;
    }
    scratch::mark mark(ctx.memory);
    const auto add = [&](index row, index col, const auto& block) {
      for_each_row(block, [&](index i, auto width) {
        const real *u = block.row_data(i), *own = h.row_data(row + i) + col, *residual = x.row_data(row + i) + col;
        real* to = y.row_data(row + i) + col;
#pragma omp simd
        for (index c = 0; c < width; ++c) to[c] = u[c] + own[c] + residual[c];
      });
    };
    auto* adapter_saved = s != nullptr ? &s->adapter : nullptr;
    if (place_ == adapter_place::before_norm) {
      adapter->update(h, adapter_saved, ctx, add);
    } else {
      view<real> t = ctx.memory.take<real>(h.rows(), h.cols());
      norm.forward(h, &x, t, s != nullptr ? &s->inner : nullptr, ctx);
      adapter->update(t, adapter_saved, ctx, add);
    }
    norm.forward(y, y, norm_saved, ctx);
  }
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
    scratch::mark mark(ctx.memory);
    const bool trains_adapter = adapter && is_trainable(*adapter);
    const bool inner = place_ == adapter_place::behind_norm && (dh != nullptr || dx != nullptr || is_trainable(norm));
    const bool deeper = dh != nullptr || dx != nullptr || trains_adapter || inner;
    view<real> du = dx != nullptr ? *dx : ctx.memory.take<real>(dy.rows(), dy.cols());
    norm.backward(dy, s.norm, deeper ? &du : nullptr, ctx);
    if (place_ == adapter_place::before_norm) {
      if (dh != nullptr || trains_adapter) adapter->backward(du, s.adapter, dh, ctx);
      return;
    }
    if (inner || trains_adapter) {
      view<real> dt = ctx.memory.take<real>(dy.rows(), dy.cols());
      adapter->update_backward(du, s.adapter, real(0), inner ? &dt : nullptr, ctx);
      if (inner) {
        norm.backward(dt, s.inner, &dt, ctx);
        ops::add_rows<real>(dt, du, ctx);
      }
    }
    if (dh != nullptr) convert_rows(const_view<real>(du), *dh, ctx.threads);
  }

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
