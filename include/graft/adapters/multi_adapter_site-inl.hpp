#pragma once
// Bodies of graft/adapters/multi_adapter_site.hpp.

#include <algorithm>
#include <utility>

#include "graft/adapters/multi_adapter_site.hpp"
#include "graft/core/compiled.hpp"
#include "graft/layers/tensor_names.hpp"

namespace graft {

template <class P>
multi_adapter_site<P>::multi_adapter_site(const std::string& prefix, index hidden_size, double eps, const multi_adapter_options& o,
                                          std::shared_ptr<mixing_weights<P>> shared_mix, bool owns_mix, site_location where)
    : mix(std::move(shared_mix)), owns_mix_(owns_mix), optimized_(o.optimized) {
  if (o.mode == mixing_mode::fusion) {
    fusion.emplace(prefix + ".multi_adapter", prefix + ".LayerNorm", hidden_size, eps, o.adapters, o.fusion, where);
    return;
  }
  const std::string adapters = prefix + tensor_names::member, norms = prefix + tensor_names::member_norm;
  for (const mixed_adapter& a : o.adapters) {
    if (a.kind == tuning_kind::adapter) {
      branches.emplace_back(adapters + a.name, norms + a.name, hidden_size, eps, a.adapter, where);
    } else if (a.kind == tuning_kind::fusion) {
      branches.emplace_back(adapters + a.name, norms + a.name, hidden_size, eps, a.fused, a.fusion, where);
    } else {
      branches.emplace_back(norms + a.name, hidden_size, eps);
    }
  }
  if (o.include_base) branches.emplace_back(norms + "base", hidden_size, eps);
  if (o.include_flex) {
    flex.emplace(adapters + "flex", norms + "flex", hidden_size, eps, adapter_options{o.flex_size, o.flex_activation}, where);
  }
}

template <class P>
void multi_adapter_site<P>::forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
  if (fusion) {
    fusion->forward(h, x, y, s != nullptr ? &s->fusion : nullptr, ctx);
    return;
  }
  scratch::mark mark(ctx.memory);
  view<real> w = s != nullptr ? s->w.resize(1, mix->count()) : ctx.memory.take<real>(1, mix->count());
  mix->forward(w);
  if (!flex) {
    mix_forward(h, x, w, y, s, ctx);
    return;
  }
  view<real> c = ctx.memory.take<real>(h.rows(), h.cols());
  mix_forward(h, x, w, c, s, ctx);
  flex->forward(c, x, y, s != nullptr ? &s->flex : nullptr, ctx);
}

template <class P>
void multi_adapter_site<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
  if (fusion) {
    fusion->backward(dy, s.fusion, dh, dx, ctx);
    return;
  }
  if (!flex) {
    mix_backward(dy, s, dh, dx, ctx);
    return;
  }
  scratch::mark mark(ctx.memory);
  view<real> dc = ctx.memory.take<real>(dy.rows(), dy.cols());
  view<real> dx_flex = ctx.memory.take<real>(dy.rows(), dy.cols());
  flex->backward(dy, s.flex, &dc, dx != nullptr ? &dx_flex : nullptr, ctx);
  mix_backward(dc, s, dh, dx, ctx);
  if (dx != nullptr) *dx += dx_flex;
}

namespace detail {

/// Whether the fused kernel computes the branch, and what it reads: LN(h + x), or h.
template <class P>
std::optional<bool> fused_reads_norm(const adapter_site<P>& branch) {
  if (!branch.norm.normalizes()) return std::nullopt;  // the kernel does
  return std::visit(
      []<class Kind>(const Kind& kind) -> std::optional<bool> {
        if constexpr (requires { Kind::reads_norm; }) {
          if (kind.module.scaling() == 1) return Kind::reads_norm;
        } else if constexpr (std::same_as<Kind, no_adapter<P>>) {
          return false;
        }
        return std::nullopt;
      },
      branch.adapter);
}

}  // namespace detail

template <class P>
bool multi_adapter_site<P>::fused() const {
  return optimized_ && std::all_of(branches.begin(), branches.end(), [](const auto& branch) {
           return detail::fused_reads_norm(branch).has_value() && !is_trainable(branch);
         });
}

template <class P>
std::span<const ops::mixed_branch<P>> multi_adapter_site<P>::frozen_branches(context& ctx) const {
  const auto all = ctx.memory.take_array<ops::mixed_branch<P>>(branches.size());
  const auto weights = ctx.memory.take_array<ops::mixed_adapter_weights<P>>(branches.size());
  for (std::size_t k = 0; k < branches.size(); ++k) {
    const adapter_site<P>& b = branches[k];
    const ops::mixed_adapter_weights<P>* weights_k = nullptr;
    if (const bottleneck<P>* module = b.module()) {
      const linear<P>&down = module->down_project, &up = module->up_project;
      weights_k = new (&weights[k]) ops::mixed_adapter_weights<P>{module->size(),
                                                                  module->hidden_act(),
                                                                  detail::fused_reads_norm(b).value(),
                                                                  {{down.weight, transpose::yes}, down.bias.value()},
                                                                  {{up.weight, transpose::yes}, up.bias.value()},
                                                                  {down.weight, transpose::no},
                                                                  {up.weight, transpose::no}};
    }
    new (&all[k]) ops::mixed_branch<P>{b.norm.weight.value(), b.norm.bias.value(), b.norm.eps(), weights_k};
  }
  return all;
}

template <class P>
void multi_adapter_site<P>::mix_forward(const_view<real> h, const_view<real> x, const_view<real> w, view<real> c, saved* s,
                                        context& ctx) const {
  scratch::mark mark(ctx.memory);
  if (fused()) {
    ops::mixed_adapters_forward<P>(h, x, frozen_branches(ctx), w, c, s != nullptr ? &s->fused : nullptr, ctx);
    return;
  }
  if (s != nullptr) {
    s->branches.resize(branches.size());
    s->y.resize(branches.size());
  }
  c.setZero();
  for (std::size_t k = 0; k < branches.size(); ++k) {
    scratch::mark branch_mark(ctx.memory);
    view<real> y = s != nullptr ? s->y[k].resize(h.rows(), h.cols()) : ctx.memory.take<real>(h.rows(), h.cols());
    branches[k].forward(h, x, y, s != nullptr ? &s->branches[k] : nullptr, ctx);
    c += w(0, static_cast<index>(k)) * y;
  }
}

template <class P>
void multi_adapter_site<P>::mix_backward(const_view<real> dc, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
  scratch::mark mark(ctx.memory);
  const const_view<real> w = s.w;
  view<real> dw = ctx.memory.take<real>(1, mix->count());
  dw.setZero();
  if (fused()) {
    ops::mixed_adapters_backward<P>(dc, frozen_branches(ctx), s.fused, w, dw, dh, dx, ctx);
    mix->backward(dw, w, ctx);
    return;
  }
  view<real> dy = ctx.memory.take<real>(dc.rows(), dc.cols());
  view<real> dh_k = ctx.memory.take<real>(dc.rows(), dc.cols());
  view<real> dx_k = ctx.memory.take<real>(dc.rows(), dc.cols());
  if (dh != nullptr) dh->setZero();
  if (dx != nullptr) dx->setZero();
  for (std::size_t k = 0; k < branches.size(); ++k) {
    const auto column = static_cast<index>(k);
    ops::add_dot<real>(dc, s.y[k], dw.window(0, column, 1, 1), ctx);
    dy = w(0, column) * dc;
    branches[k].backward(dy, s.branches[k], dh != nullptr ? &dh_k : nullptr, dx != nullptr ? &dx_k : nullptr, ctx);
    if (dh != nullptr) *dh += dh_k;
    if (dx != nullptr) *dx += dx_k;
  }
  mix->backward(dw, w, ctx);
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class multi_adapter_site<GRAFT_PRECISION>;
#endif

}  // namespace graft
