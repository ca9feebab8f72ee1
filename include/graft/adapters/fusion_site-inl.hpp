#pragma once
// Bodies of graft/adapters/fusion_site.hpp.

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/fusion_site.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/parallel.hpp"
#include "graft/ops/softmax.hpp"

namespace graft {

namespace detail {

/// OUT = A op(W)
template <class P>
void times(const_view<typename P::real> a, const parameter<typename P::real>& w, transpose op, view<typename P::real> out, context& ctx) {
  scratch::mark mark(ctx.memory);
  product<P>(packed_a<P>::pack(transpose::no, a, ctx), weight_factor<P>(w, op, ctx), ctx,
             [&](index row, index col, const auto& block) { ops::write_block(block, out, row, col); });
}

}  // namespace detail

template <class P>
fusion_site<P>::fusion_site(const std::string& prefix, index hidden_size, double eps, const multi_adapter_options& o, site_location where)
    : norm(prefix + ".LayerNorm", hidden_size, eps),
      options_(o.fusion),
      behind_(!o.adapters.empty() && o.adapters[0].adapter.kind == pfeiffer_adapter<P>::name) {
  check_fusion(o);
  if (behind_ ? !pfeiffer_adapter<P>::stands_at({}, where) : !houlsby_adapter<P>::stands_at({}, where)) return;
  const std::string own = prefix + ".multi_adapter.", fusion = own + "fusion.";
  for (const mixed_adapter& a : o.adapters) {
    modules.emplace_back(own + "adapter_dict." + a.name, hidden_size, a.adapter.size, a.adapter.act, a.adapter.scaling);
  }
  if (options_.query) query.emplace(fusion + "query", hidden_size, hidden_size, parameter_role::adapter);
  if (options_.key) key.emplace(fusion + "key", hidden_size, hidden_size, parameter_role::adapter);
  if (options_.value) {
    value.emplace(parameter<real>::factor(fusion + "value.weight", parameter_role::adapter, hidden_size, hidden_size));
  }
}

template <class P>
void fusion_site<P>::forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
  if (modules.empty()) {
    norm.forward(h, &x, y, s != nullptr ? &s->norm : nullptr, ctx);
    return;
  }
  scratch::mark mark(ctx.memory);
  const index n = h.rows(), width = h.cols(), m = std::ssize(modules);
  const auto room = [&](buffer<real> saved::*kept, index rows, index cols) {
    return s != nullptr ? (s->*kept).resize(rows, cols) : ctx.memory.take<real>(rows, cols);
  };
  view<real> inner = ctx.memory.take<real>(behind_ ? n : 0, width);
  if (behind_) norm.forward(h, &x, inner, s != nullptr ? &s->inner : nullptr, ctx);
  const const_view<real> t = behind_ ? const_view<real>(inner) : h;
  const const_view<real> z = options_.query_before_ln ? h : t;
  view<real> u = room(&saved::u, m * n, width), q = room(&saved::q, n, width), g = room(&saved::g, n, width);
  view<real> p = room(&saved::p, n, m), c = room(&saved::c, n, width);
  if (s != nullptr) s->modules.resize(modules.size());
  for (index k = 0; k < m; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const view<real> own = u.window(k * n, 0, n, width);
    modules[i].update(t, s != nullptr ? &s->modules[i] : nullptr, ctx, [&](index row, index col, const auto& block) {
      own.window(row, col, block.rows(), block.cols()) = block;
      if (options_.residual_before) own.window(row, col, block.rows(), block.cols()) += h.window(row, col, block.rows(), block.cols());
    });
  }
  if (s != nullptr && query && query->needs_input()) s->z.assign(z);
  if (query) {
    query->forward(z, q, nullptr, ctx);
  } else {
    q = z;
  }
  if (key) {
    detail::times<P>(q, key->weight, transpose::no, g, ctx);
  } else {
    g = q;
  }
  parallel_for(n, 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      for (index k = 0; k < m; ++k) p(r, k) = g.row(r).dot(u.row(k * n + r));
      ops::softmax_row(p.row(r));
      c.row(r) = p(r, 0) * u.row(r);
      for (index k = 1; k < m; ++k) c.row(r) += p(r, k) * u.row(k * n + r);
    }
  });
  view<real> out = ctx.memory.take<real>(n, width);
  if (value) {
    detail::times<P>(c, *value, transpose::yes, out, ctx);
  } else {
    out = c;
  }
  if (!options_.residual_before) ops::add_rows<real>(h, out, ctx);
  norm.forward(out, &x, y, s != nullptr ? &s->norm : nullptr, ctx);
}

template <class P>
void fusion_site<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
  scratch::mark mark(ctx.memory);
  const index n = dy.rows(), width = dy.cols(), m = std::ssize(modules);
  view<real> d = ctx.memory.take<real>(n, width);
  norm.backward(dy, s.norm, &d, ctx);
  if (dx != nullptr) *dx = d;
  if (dh != nullptr) *dh = d;
  if (modules.empty()) return;
  if (dh != nullptr && options_.residual_before) dh->setZero();

  const const_view<real> u = s.u, q = s.q, g = s.g, p = s.p, c = s.c;
  if (value && value->is_trained()) {
    ++ctx.counters.weight_gradient_products;
    multiply<P>(transpose::yes, const_view<real>(d), transpose::no, c, real(1), gradient_of(*value, ctx), ctx);
  }
  const bool through_t = dh != nullptr || dx != nullptr || (behind_ && is_trainable(norm));
  bool below = through_t || (query && is_trainable(*query)) || (key && is_trainable(*key));
  for (auto& module : modules) below = below || is_trainable(module);
  if (!below) return;
  view<real> dc = ctx.memory.take<real>(value ? n : 0, width), e = ctx.memory.take<real>(n, width);
  if (value) detail::times<P>(d, *value, transpose::no, dc, ctx);
  const const_view<real> to_c = value ? const_view<real>(dc) : const_view<real>(d);
  view<real> ds = ctx.memory.take<real>(n, m);
  parallel_for(n, 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      for (index k = 0; k < m; ++k) ds(r, k) = to_c.row(r).dot(u.row(k * n + r));
      ops::softmax_row_backward(p.row(r), ds.row(r), real(1), ds.row(r));
      e.row(r) = ds(r, 0) * u.row(r);
      for (index k = 1; k < m; ++k) e.row(r) += ds(r, k) * u.row(k * n + r);
    }
  });
  if (key && key->weight.is_trained()) {
    ++ctx.counters.weight_gradient_products;
    multiply<P>(transpose::yes, q, transpose::no, const_view<real>(e), real(1), gradient_of(key->weight, ctx), ctx);
  }
  if (key && key->bias.is_trained()) gradient_of(key->bias, ctx);  // zero
  view<real> dq = ctx.memory.take<real>(key ? n : 0, width);
  if (key) detail::times<P>(e, key->weight, transpose::yes, dq, ctx);
  const const_view<real> to_q = key ? const_view<real>(dq) : const_view<real>(e);
  view<real> to_t = ctx.memory.take<real>(n, width), dz = ctx.memory.take<real>(n, width);
  to_t.setZero();
  if (query) query->accumulate_gradients(to_q, s.z.get(), ctx);
  if (through_t) {
    if (query) {
      query->input_gradient(to_q, real(0), dz, ctx);
    } else {
      dz = to_q;
    }
    if (!options_.query_before_ln) to_t += dz;
    if (options_.query_before_ln && dh != nullptr) *dh += dz;
  }
  view<real> du = ctx.memory.take<real>(n, width), dt = ctx.memory.take<real>(n, width);
  for (index k = 0; k < m; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (!through_t && !is_trainable(modules[i])) continue;
    parallel_for(n, 16, ctx.threads, [&](index begin, index end) {
      for (index r = begin; r < end; ++r) du.row(r) = p(r, k) * to_c.row(r) + ds(r, k) * g.row(r);
    });
    if (options_.residual_before && dh != nullptr) *dh += du;
    modules[i].update_backward(du, s.modules[i], real(0), through_t ? &dt : nullptr, ctx);
    if (through_t) to_t += dt;
  }
  if (!through_t) return;
  if (behind_) {
    norm.backward(to_t, s.inner, &to_t, ctx);
    if (dx != nullptr) *dx += to_t;
  }
  if (dh != nullptr) *dh += to_t;
}

template <class P>
index fusion_site<P>::saved_numbers(index h) const {
  const index m = std::ssize(modules);
  if (m == 0) return h + 1;
  index total = (behind_ ? 2 : 1) * (h + 1) + m * (h + 1) + 3 * h + (query && query->needs_input() ? h : 0);
  for (const auto& module : modules) total += module.saved_numbers();
  return total;
}

}  // namespace graft
