#pragma once
// Bodies of graft/adapters/adapter_site.hpp.

#include "graft/adapters/adapter_site.hpp"
#include "graft/core/compiled.hpp"

namespace graft {

template <class P>
adapter_site<P>::adapter_site(const std::string& adapter_prefix, const std::string& norm_prefix, index hidden_size, index size, double eps,
                              activation act, adapter_place place)
    : norm(norm_prefix, hidden_size, eps), place_(place) {
  if (place != adapter_place::none) adapter.emplace(adapter_prefix, hidden_size, size, act);
}

template <class P>
void adapter_site<P>::forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
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

template <class P>
void adapter_site<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
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

}  // namespace graft
