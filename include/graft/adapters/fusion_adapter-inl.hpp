#pragma once
// Bodies of graft/adapters/fusion_adapter.hpp.

#include "graft/adapters/fusion_adapter.hpp"
#include "graft/adapters/kind_names.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/parallel.hpp"
#include "graft/ops/softmax.hpp"

namespace graft {

template <class P>
fusion_adapter<P>::fusion_adapter(const std::string& prefix, index hidden_size, const std::vector<mixed_adapter>& fused,
                                  const fusion_options& o, site_location where)
    : options_(o) {
  check_fused(fused);
  form_ = as_general(fused.back().adapter);
  for (const mixed_adapter& a : fused) modules.emplace_back(prefix + ".adapter_dict." + a.name, hidden_size, a.adapter, where);
  const std::string stem = prefix + ".fusion.";
  if (options_.query) query.emplace(stem + "query", hidden_size, hidden_size, parameter_role::adapter);
  if (options_.key) key.emplace(stem + "key", hidden_size, hidden_size, parameter_role::adapter);
  if (options_.value) value.emplace(parameter<real>::factor(stem + "value.weight", parameter_role::adapter, hidden_size, hidden_size));
}

template <class P>
bool fusion_adapter<P>::stands_at(const std::vector<mixed_adapter>& fused, site_location where) {
  check_fused(fused);
  return as_general(fused.back().adapter).size_at(fused.back().adapter, where) > 0;
}

template <class P>
void fusion_adapter<P>::forward(const_view<real> h, const_view<real> x, const layer_norm<P>& norm, view<real> y, saved* s,
                                context& ctx) const {
  using residual = general_adapter_options::residual;
  scratch::mark mark(ctx.memory);
  const index n = h.rows(), width = h.cols(), m = std::ssize(modules);
  const auto take = [&](buffer<real> saved::*part, index rows, index cols) { return saved_or_scratch(part_of(s, part), rows, cols, ctx); };
  const bool behind = form_.original_ln_before && !form_.is_parallel;
  view<real> inner = ctx.memory.take<real>(behind ? n : 0, width), r = ctx.memory.take<real>(n, width);
  if (behind) norm.forward(h, x, inner, s != nullptr ? &s->inner : nullptr, ctx);
  const const_view<real> t = form_.is_parallel ? x : behind ? const_view<real>(inner) : h;
  const const_view<real> z = options_.query_before_ln && !form_.is_parallel ? h : t;
  r = form_.is_parallel || form_.from == residual::input ? t : h;
  if (!form_.is_parallel && form_.from == residual::post_add) ops::add_rows<real>(x, r, ctx);
  view<real> u = take(&saved::u, m * n, width), q = take(&saved::q, n, width), g = take(&saved::g, n, width);
  view<real> p = take(&saved::p, n, m), c = take(&saved::c, n, width);
  if (s != nullptr) s->modules.resize(modules.size());
  for (index k = 0; k < m; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const view<real> u_k = u.window(k * n, 0, n, width);
    modules[i].update(t, u_k, s != nullptr ? &s->modules[i] : nullptr, ctx);
    if (options_.residual_before) ops::add_rows<real>(r, u_k, ctx);
  }
  if (s != nullptr && query && query->needs_input()) s->z.assign(z);
  if (query) {
    query->forward(z, q, nullptr, ctx);
  } else {
    q = z;
  }
  if (key) {
    product<P>(q, {key->weight, transpose::no}, ctx, ops::store{g});
  } else {
    g = q;
  }
  parallel_for(n, 16, ctx.threads, [&](index begin, index end) {
    for (index i = begin; i < end; ++i) {
      for (index k = 0; k < m; ++k) p(i, k) = g.row(i).dot(u.row(k * n + i));
      ops::softmax_row(p.row(i));
      c.row(i) = p(i, 0) * u.row(i);
      for (index k = 1; k < m; ++k) c.row(i) += p(i, k) * u.row(k * n + i);
    }
  });
  view<real> out = ctx.memory.take<real>(n, width);
  if (value) {
    product<P>(c, {*value, transpose::yes}, ctx, ops::store{out});
  } else {
    out = c;
  }
  if (!options_.residual_before) ops::add_rows<real>(r, out, ctx);
  if (form_.is_parallel) ops::add_rows<real>(h, out, ctx);
  if (form_.original_ln_after) {
    const const_view<real> residual_x = norm.residual(x);
    norm.forward(out, residual_x, y, s != nullptr ? &s->norm : nullptr, ctx);
  } else {
    y = out;
  }
}

template <class P>
void fusion_adapter<P>::backward(const_view<real> dy, const saved& s, layer_norm<P>& norm, view<real>* dh, view<real>* dx, context& ctx) {
  using residual = general_adapter_options::residual;
  scratch::mark mark(ctx.memory);
  const index n = dy.rows(), width = dy.cols(), m = std::ssize(modules);
  view<real> d = ctx.memory.take<real>(n, width);
  if (form_.original_ln_after) {
    norm.backward(dy, s.norm, &d, ctx);
  } else {
    d = dy;
  }
  const const_view<real> u = s.u, q = s.q, g = s.g, p = s.p, c = s.c;
  if (value) add_weight_gradient<P>(*value, d, c, ctx);
  const bool behind = form_.original_ln_before && !form_.is_parallel;
  const bool through = dh != nullptr || dx != nullptr || (behind && is_trainable(norm));  // t
  bool below = through || (query && is_trainable(*query)) || (key && is_trainable(*key));
  for (auto& module : modules) below = below || is_trainable(module);
  if (!below) return;
  view<real> to_h = ctx.memory.take<real>(n, width), to_x = ctx.memory.take<real>(n, width), to_t = ctx.memory.take<real>(n, width);
  view<real> to_r = ctx.memory.take<real>(n, width);
  for (view<real> zero : {to_h, to_x, to_t, to_r}) zero.setZero();
  if (form_.original_ln_after && norm.normalizes()) to_x = d;
  if (form_.is_parallel) to_h = d;
  if (!options_.residual_before) to_r = d;

  view<real> dc = ctx.memory.take<real>(value ? n : 0, width), e = ctx.memory.take<real>(n, width);
  if (value) product<P>(d, {*value, transpose::no}, ctx, ops::store{dc});
  const const_view<real> to_c = value ? const_view<real>(dc) : const_view<real>(d);
  view<real> ds = ctx.memory.take<real>(n, m);
  parallel_for(n, 16, ctx.threads, [&](index begin, index end) {
    for (index i = begin; i < end; ++i) {
      for (index k = 0; k < m; ++k) ds(i, k) = to_c.row(i).dot(u.row(k * n + i));
      ops::softmax_row_backward(p.row(i), ds.row(i), real(1), ds.row(i));
      e.row(i) = ds(i, 0) * u.row(i);
      for (index k = 1; k < m; ++k) e.row(i) += ds(i, k) * u.row(k * n + i);
    }
  });
  if (key) add_weight_gradient<P>(key->weight, q, e, ctx);
  if (key && key->bias.is_trained()) gradient_of(key->bias, ctx);  // zero
  view<real> dq = ctx.memory.take<real>(key ? n : 0, width);
  if (key) product<P>(e, {key->weight, transpose::yes}, ctx, ops::store{dq});
  const const_view<real> to_q = key ? const_view<real>(dq) : const_view<real>(e);
  if (query) query->accumulate_gradients(to_q, s.z.get(), ctx);
  if (through) {
    view<real> to_z = options_.query_before_ln && !form_.is_parallel ? to_h : to_t;
    if (query) {
      query->product_back(to_q, {}, ctx, ops::accumulate{to_z});
    } else {
      to_z += to_q;
    }
  }
  view<real> du = ctx.memory.take<real>(n, width), dt = ctx.memory.take<real>(n, width);
  for (index k = 0; k < m; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (!through && !is_trainable(modules[i])) continue;
    parallel_for(n, 16, ctx.threads, [&](index begin, index end) {
      for (index r = begin; r < end; ++r) du.row(r) = p(r, k) * to_c.row(r) + ds(r, k) * g.row(r);
    });
    if (options_.residual_before) to_r += du;
    modules[i].update_backward(du, s.modules[i], through ? &dt : nullptr, ctx);
    if (through) to_t += dt;
  }
  if (!through) return;
  (form_.is_parallel || form_.from == residual::input ? to_t : to_h) += to_r;
  if (!form_.is_parallel && form_.from == residual::post_add) to_x += to_r;
  if (behind) {
    norm.backward(to_t, s.inner, &to_t, ctx);
    to_x += to_t;
  }
  (form_.is_parallel ? to_x : to_h) += to_t;
  if (dh != nullptr) *dh = to_h;
  if (dx != nullptr) *dx = to_x;
}

template <class P>
index fusion_adapter<P>::saved_numbers(index h) const {
  const index m = std::ssize(modules), norms = (form_.original_ln_before ? 1 : 0) + (form_.original_ln_after ? 1 : 0);
  index total = norms * (h + 1) + m * (h + 1) + 3 * h + (query && query->needs_input() ? h : 0);
  for (const auto& module : modules) total += module.update_numbers(h);
  return total;
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class fusion_adapter<GRAFT_PRECISION>;
#endif

}  // namespace graft
