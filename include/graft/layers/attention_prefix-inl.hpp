#pragma once
// Bodies of graft/layers/attention_prefix.hpp.

#include "graft/core/parallel.hpp"
#include "graft/layers/attention_prefix.hpp"
#include "graft/ops/activation.hpp"

namespace graft {

template <class P>
void attention_prefix<P>::precompute(int threads) {
  precomputed_.reset();
  if (network == nullptr || trains_network()) return;
  context ctx;
  ctx.threads = threads;
  precomputed_ = std::make_shared<const matrix<real>>(values(nullptr, ctx));
}

template <class P>
void attention_prefix<P>::forward(const_view<real> x, const_view<operand> kv, view<operand> all, saved* s, context& ctx) const {
  scratch::mark mark(ctx.memory);
  const const_view<real> p = values(s != nullptr ? &s->z : nullptr, ctx);
  const index sequences = ctx.sequences(), width = p.cols(), half = width / 2;
  const index n = gate ? gate->out() : 0;
  view<real> gates = gate && s != nullptr ? s->gates.resize(x.rows(), n) : ctx.memory.take<real>(gate ? x.rows() : 0, n);
  if (gate) {
    gate->forward(x, gates, nullptr, ctx);
    gates.array() = (real(1) + (-gates.array()).exp()).inverse();
  }
  const view<real> g = means(gates, ctx);
  view<real> rows = ctx.memory.take_rows<real>(ctx.threads, width);  // gated, before they are rounded
  parallel_for(sequences, 1, ctx.threads, [&](index b, index) {
    const index first = ctx.first_row(b), end = ctx.first_row(b + 1), to = first + b * length_;
    for (index l = 0; l < length_; ++l) {
      const real* from = p.row_data(l);
      if (gate) {
        real* gated = rows.row_data(omp_get_thread_num());
        for (index c = 0; c < width; ++c) gated[c] = g(b, c < half ? 0 : g.cols() - 1) * from[c];
        from = gated;
      }
      convert(from, all.row_data(to + l), width);
    }
    for (index r = first; r < end; ++r) std::copy(kv.row_data(r), kv.row_data(r) + width, all.row_data(to + length_ + r - first));
  });
}

template <class P>
typename P::real attention_prefix<P>::backward(const_view<operand> dall, const_view<operand> x, const saved& s, view<operand> down,
                                               view<real>* dx, real beta, context& ctx) {
  scratch::mark mark(ctx.memory);
  const index sequences = ctx.sequences(), width = dall.cols(), half = width / 2;
  parallel_for(sequences, 1, ctx.threads, [&](index b, index) {
    for (index r = ctx.first_row(b); r < ctx.first_row(b + 1); ++r) {
      const operand* from = dall.row_data(r + (b + 1) * length_);
      std::copy(from, from + width, down.row_data(r));
    }
  });
  const view<real> g = means(s.gates, ctx);
  if (trains_network() || (key_values && key_values->is_trained())) {
    view<real> dp = key_values ? gradient_of(*key_values, ctx) : ctx.memory.take<real>(length_, width);
    if (network != nullptr) dp.setZero();
    parallel_for(length_, 1, ctx.threads, [&](index l, index) {
      real* to = dp.row_data(l);
      for (index b = 0; b < sequences; ++b) {
        const operand* from = dall.row_data(ctx.first_row(b) + b * length_ + l);
        const real of_keys = gate ? g(b, 0) : real(1), of_values = gate ? g(b, g.cols() - 1) : real(1);
        for (index c = 0; c < half; ++c) to[c] += of_keys * number(from[c]);
        for (index c = half; c < width; ++c) to[c] += of_values * number(from[c]);
      }
    });
    if (trains_network()) network_backward(dp, s.z, ctx);
  }
  if (!gate || (dx == nullptr && !is_trainable(*gate))) return beta;
  const const_view<real> p = values(nullptr, ctx), gates = s.gates;
  view<real> dz = ctx.memory.take<real>(gates.rows(), gates.cols());
  parallel_for(sequences, 1, ctx.threads, [&](index b, index) {
    real dg[2] = {0, 0};  // of the keys' gate, and of the values'
    for (index l = 0; l < length_; ++l) {
      const operand* from = dall.row_data(ctx.first_row(b) + b * length_ + l);
      for (index c = 0; c < width; ++c) dg[c < half ? 0 : g.cols() - 1] += p(l, c) * number(from[c]);
    }
    const index tokens = ctx.first_row(b + 1) - ctx.first_row(b);
    for (index r = ctx.first_row(b); r < ctx.first_row(b + 1); ++r) {
      for (index k = 0; k < gates.cols(); ++k) dz(r, k) = dg[k] / real(tokens) * gates(r, k) * (real(1) - gates(r, k));
    }
  });
  gate->accumulate_gradients(const_view<real>(dz), x, ctx);
  if (dx == nullptr) return beta;
  gate->product_back(dz, {}, ctx, ops::accumulate{*dx, beta});
  return real(1);
}

template <class P>
const_view<typename P::real> attention_prefix<P>::values(buffer<real>* saved_z, context& ctx) const {
  if (network == nullptr) return key_values->value();
  if (precomputed_ && !trains_network()) return *precomputed_;
  const linear<P>& down = network->down_project;
  view<real> p = ctx.memory.take<real>(length_, up_project->out());
  view<real> t = ctx.memory.take<real>(length_, down.out());
  view<real> z = saved_z != nullptr && trains_network() ? saved_z->resize(length_, down.out()) : t;
  down.forward(network->embedding.value(), z, nullptr, ctx);
  for (index l = 0; l < length_; ++l) ops::activate_row<real>(network->act, z.row(l), t.row(l));
  up_project->forward(t, p, nullptr, ctx);
  return p;
}

template <class P>
view<typename P::real> attention_prefix<P>::means(const_view<real> gates, context& ctx) const {
  view<real> g = ctx.memory.take<real>(gate ? ctx.sequences() : 0, gates.cols());
  for (index b = 0; b < g.rows(); ++b) {
    g.row(b) = gates.middleRows(ctx.first_row(b), ctx.length(b)).colwise().sum() / real(ctx.length(b));
  }
  return g;
}

template <class P>
void attention_prefix<P>::network_backward(const_view<real> dp, const_view<real> z, context& ctx) {
  linear<P>& down = network->down_project;
  view<real> t = ctx.memory.take<real>(length_, down.out()), dt = ctx.memory.take<real>(length_, down.out());
  for (index l = 0; l < length_; ++l) ops::activate_row<real>(network->act, z.row(l), t.row(l));
  up_project->accumulate_gradients(dp, const_view<real>(t), ctx);
  if (!is_trainable(*network)) return;
  up_project->product_back(dp, {}, ctx, ops::store{dt});
  for (index l = 0; l < length_; ++l) ops::activate_row_backward<real>(network->act, dt.row(l), z.row(l), dt.row(l));
  down.accumulate_gradients(const_view<real>(dt), network->embedding.value(), ctx);
  if (network->embedding.is_trained()) {
    ++ctx.counters.weight_gradient_products;
    view<real> gradient = gradient_of(network->embedding, ctx);
    down.product_back(dt, {}, ctx, ops::accumulate{gradient});
  }
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class attention_prefix<GRAFT_PRECISION>;
#endif

}  // namespace graft
