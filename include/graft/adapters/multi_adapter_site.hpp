#pragma once
// A site that mixes several adapters and, if wanted, the untouched base.

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/weighted_sum.hpp"
#include "graft/ops/mixed_adapters.hpp"

namespace graft {

/// One adapter of a mix.
struct mixed_adapter {
  std::string name;
  index size = 64;  // K
  activation act = activation::gelu;
  adapter_placement placement = adapter_placement::houlsby;
};

/// What is mixed at every site, in order; `base`, when included, is last.
struct multi_adapter_options {
  std::vector<mixed_adapter> adapters;
  bool include_base = true;
  bool include_flex = false;
  index flex_size = 64;
  activation flex_activation = activation::gelu;
  mixing_mode mode = mixing_mode::softmax;
  bool optimized = true;  // the fused kernel wherever the adapters are frozen; false: always the plain loop

  index count() const { return static_cast<index>(adapters.size()) + (include_base ? 1 : 0); }
  std::vector<std::string> mixed_names() const {
    std::vector<std::string> all;
    for (const mixed_adapter& a : adapters) all.push_back(a.name);
    if (include_base) all.emplace_back("base");
    return all;
  }
};

/// c = sum_k w_k y_k,   y_k = LN_k(A_k(h) + x) or what else adapter_site computes,   y_base = LN_base(h + x);
/// y = c, or with flex y = LN_flex(A_flex(c) + x)
/// Backward:  dw_k = <dc, y_k>;   w_k dc goes through branch k to dh and dx;   with flex, dc comes from that site first.
/// @param  h, x  (N, H) sub-layer output and residual            @param[out] y  (N, H)
/// Saved: plain loop: what every branch saves; fused: h + x (N, H) and the z_k (N, sum K); with flex, what that site saves.
/// Source: SPEC of the original's multi-adapter, with LayerNorm statistics per adapter.   Tested:
/// tests/adapters/multi_adapter_site_test.cpp
template <class P>
class multi_adapter_site {
 public:
  using real = typename P::real;
  struct saved {
    std::vector<typename adapter_site<P>::saved> branches;  // plain loop
    ops::mixed_adapters_saved<P> fused;
    buffer<real> w;
    typename adapter_site<P>::saved flex;
  };

  /// Parameters PREFIX.multi_adapter.{adapter_dict,layer_norm_dict}.NAME.*; MIX is visited here only when OWNS_MIX.
  multi_adapter_site(const std::string& prefix, index hidden_size, double eps, const multi_adapter_options& o,
                     std::shared_ptr<weighted_sum<P>> shared_mix, bool owns_mix)
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

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
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
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
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

  template <class F>
  void for_each_parameter(F&& f) {
    if (owns_mix_) mix->for_each_parameter(f);
    for (auto& b : branches) b.for_each_parameter(f);
    if (flex) flex->for_each_parameter(f);
  }

  /// Whether the fused kernel runs: it was asked for, and everything that is mixed is frozen.
  bool fused() const {
    return optimized_ && std::none_of(branches.begin(), branches.end(), [](const auto& branch) { return is_trainable(branch); });
  }

  std::shared_ptr<weighted_sum<P>> mix;
  std::vector<adapter_site<P>> branches;  // the adapters, then the base
  std::optional<adapter_site<P>> flex;

 private:
  /// The branches as the fused kernel takes them, in scratch memory; what only BACKWARD reads is left out without it.
  std::span<const ops::mixed_branch<P>> frozen_branches(bool backward, context& ctx) const {
    const auto all = ctx.memory.take_array<ops::mixed_branch<P>>(branches.size());
    const auto weights = ctx.memory.take_array<ops::mixed_adapter_weights<P>>(branches.size());
    for (std::size_t k = 0; k < branches.size(); ++k) {
      const adapter_site<P>& b = branches[k];
      const ops::mixed_adapter_weights<P>* own = nullptr;
      if (b.adapter) {
        const linear<P>&down = b.adapter->down_project, &up = b.adapter->up_project;
        const auto factor = [&](const linear<P>& l, as op) {
          return op == as::is && !backward ? right_factor<P>(nullptr, 0, 0) : weight_factor<P>(l.weight, op, ctx);
        };
        own = new (weights.data() + k) ops::mixed_adapter_weights<P>{b.adapter->size(),
                                                                     b.adapter->hidden_act(),
                                                                     b.place() == adapter_place::behind_norm,
                                                                     factor(down, as::transposed),
                                                                     factor(up, as::transposed),
                                                                     factor(down, as::is),
                                                                     factor(up, as::is),
                                                                     down.bias.value().data(),
                                                                     up.bias.value().data()};
      }
      new (all.data() + k) ops::mixed_branch<P>{b.norm.weight.value().data(), b.norm.bias.value().data(), b.norm.eps(), own};
    }
    return all;
  }

  void mix_forward(const_view<real> h, const_view<real> x, const_view<real> w, view<real> c, saved* s, context& ctx) const {
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
  void mix_backward(const_view<real> dc, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
    scratch::mark mark(ctx.memory);
    const const_view<real> w = s.w;
    view<real> dw = ctx.memory.take<real>(1, mix->count());
    dw.setZero();
    if (fused()) {
      ops::mixed_adapters_backward<P>(dc, frozen_branches(true, ctx), s.fused, w, dw, dh, dx, ctx);
      mix->backward(dw, w);
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
    mix->backward(dw, w);
  }

  bool owns_mix_;
  bool optimized_;
};

static_assert(site<multi_adapter_site<f64>> && site<multi_adapter_site<f32>> && site<multi_adapter_site<bf16>>);

}  // namespace graft
