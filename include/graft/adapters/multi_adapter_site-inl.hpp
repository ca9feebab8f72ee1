#pragma once
// Bodies of graft/adapters/multi_adapter_site.hpp.

#include <algorithm>
#include <utility>

#include "graft/adapters/multi_adapter_site.hpp"
#include "graft/core/compiled.hpp"

namespace graft {

template <class P>
multi_adapter_site<P>::multi_adapter_site(const std::string& prefix, index hidden_size, double eps, const multi_adapter_options& o,
                                          std::shared_ptr<mixing_weights<P>> shared_mix, bool owns_mix)
    : mix(std::move(shared_mix)), owns_mix_(owns_mix), optimized_(o.optimized) {
  const auto branch = [&](const std::string& name, index size, activation act, adapter_place place) {
    const std::string own = prefix + ".multi_adapter.";
    return adapter_site<P>(own + "adapter_dict." + name, own + "layer_norm_dict." + name, hidden_size, size, eps, act, place);
  };
  const bool feed_forward_site = !prefix.ends_with(".attention.output");
  for (const mixed_adapter& a : o.adapters) branches.push_back(branch(a.name, a.size, a.act, place_at(a.placement, feed_forward_site)));
  if (o.include_base) branches.push_back(branch("base", 0, activation::gelu, adapter_place::none));
  if (o.include_flex) flex.emplace(branch("flex", o.flex_size, o.flex_activation, adapter_place::before_norm));
}

template <class P>
void multi_adapter_site<P>::forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
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

template <class P>
bool multi_adapter_site<P>::fused() const {
  return optimized_ && std::none_of(branches.begin(), branches.end(), [](const auto& branch) { return is_trainable(branch); });
}

template <class P>
std::span<const ops::mixed_branch<P>> multi_adapter_site<P>::frozen_branches(bool backward, context& ctx) const {
  const auto all = ctx.memory.take_array<ops::mixed_branch<P>>(branches.size());
  const auto weights = ctx.memory.take_array<ops::mixed_adapter_weights<P>>(branches.size());
  for (std::size_t k = 0; k < branches.size(); ++k) {
    const adapter_site<P>& b = branches[k];
    const ops::mixed_adapter_weights<P>* own = nullptr;
    if (b.adapter) {
      const linear<P>&down = b.adapter->down_project, &up = b.adapter->up_project;
      const auto factor = [&](const linear<P>& l, transpose op) {
        return op == transpose::no && !backward ? packed_b<P>(nullptr, 0, 0) : weight_factor<P>(l.weight, op, ctx);
      };
      own = new (weights.data() + k) ops::mixed_adapter_weights<P>{b.adapter->size(),
                                                                   b.adapter->hidden_act(),
                                                                   b.place() == adapter_place::behind_norm,
                                                                   factor(down, transpose::yes),
                                                                   factor(up, transpose::yes),
                                                                   factor(down, transpose::no),
                                                                   factor(up, transpose::no),
                                                                   down.bias.value().data(),
                                                                   up.bias.value().data()};
    }
    new (all.data() + k) ops::mixed_branch<P>{b.norm.weight.value().data(), b.norm.bias.value().data(), b.norm.eps(), own};
  }
  return all;
}

template <class P>
void multi_adapter_site<P>::mix_forward(const_view<real> h, const_view<real> x, const_view<real> w, view<real> c, saved* s,
                                        context& ctx) const {
  scratch::mark mark(ctx.memory);
  if (fused()) {
    ops::mixed_adapters_forward<P>(h, x, frozen_branches(false, ctx), w, c, s != nullptr ? &s->fused : nullptr, ctx);
    return;
  }
  if (s != nullptr) s->branches.resize(branches.size());
  view<real> y = ctx.memory.take<real>(h.rows(), h.cols());
  c.setZero();
  for (std::size_t k = 0; k < branches.size(); ++k) {
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
    ops::mixed_adapters_backward<P>(dc, frozen_branches(true, ctx), s.fused, w, dw, dh, dx, ctx);
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
    const const_view<real> g = branches[k].norm.weight.value(), bias = branches[k].norm.bias.value();
    const const_view<typename P::operand> xhat = s.branches[k].norm.xhat;
    view<real> own = ctx.memory.take_rows<real>(ctx.threads, dc.cols());
    ops::sum_pieces<real>(dc.rows(), dw.window(0, column, 1, 1), ctx, [&](index begin, index end, view<real> sum) {
      for (index r = begin; r < end; ++r) {
        const const_view<real> row(ops::piece_as<real>(xhat, r, 0, dc.cols(), own.row_data(omp_get_thread_num())), 1, dc.cols());
        sum(0, 0) += (dc.row(r).array() * (row.row(0).array() * g.array() + bias.array())).sum();
      }
    });
    dy = w(0, column) * dc;
    branches[k].backward(dy, s.branches[k], dh != nullptr ? &dh_k : nullptr, dx != nullptr ? &dx_k : nullptr, ctx);
    if (dh != nullptr) *dh += dh_k;
    if (dx != nullptr) *dx += dx_k;
  }
  mix->backward(dw, w, ctx);
}

}  // namespace graft
