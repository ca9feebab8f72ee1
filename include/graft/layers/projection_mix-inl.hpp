#pragma once
// Bodies of graft/layers/projection_mix.hpp.

#include "graft/layers/projection_mix.hpp"

namespace graft {

template <class P>
typename projection_mix<P>::terms projection_mix<P>::project(const product_input<P>& x, const parameter<real>& w, const parameter<real>& b,
                                                             context& ctx) const {
  const auto all = ctx.memory.take_array<view<real>>(updates.size());
  const view<real> mixed = weights->current(ctx);
  for (std::size_t i = 0; i < all.size(); ++i) {
    view<real>& projected = *new (&all[i]) view<real>(updates[i].by.project(x, ctx));
    projected *= mixed(0, updates[i].member);
    if (updates[i].gate) ops::scale_rows{updates[i].gate->gate_values(x, ctx)}(0, 0, projected);
  }
  if (!touches_bias()) return {all};
  view<real> bias = ctx.memory.take<real>(1, b.cols());
  bias.setZero();
  for (const update& u : updates) {
    if (u.bias) bias += mixed(0, u.member) * u.by.scale() * u.bias->value();
  }
  const auto whole = ctx.memory.take_array<view<real>>(scales.size());
  for (std::size_t k = 0; k < whole.size(); ++k) {
    const scale& s = scales[k];
    const real w_k = mixed(0, s.member);
    for (index i = 0; s.changes_bias() && i < bias.cols(); ++i) bias(0, i) += w_k * s.in_weight(i) * b.value()(0, i);
    const auto gated_output = [&] {
      return ops::taken_product<P>(x, {scaled_weight(s, w, transpose::yes, ctx), scaled_bias(s, b, ctx)}, ctx, ops::scale<real>{w_k},
                                   ops::scale_rows{s.gate->gate_values(x, ctx)});
    };
    new (&whole[k]) view<real>(s.gate ? gated_output() : view<real>(nullptr, 0, 0));
  }
  return {all, bias.data(), {}, whole};
}

template <class P>
typename projection_mix<P>::terms projection_mix<P>::project_back(const product_input<P>& dy, const_view<operand> x,
                                                                  const parameter<real>& w, const parameter<real>& b, context& ctx) const {
  const auto all = ctx.memory.take_array<view<real>>(updates.size()), whole = ctx.memory.take_array<view<real>>(scales.size()),
             gates = ctx.memory.take_array<view<real>>(gated() ? updates.size() : 0);
  const view<real> mixed = weights->current(ctx);
  const product_input<P> rows = gated() ? product_input<P>(x).ready(ctx) : x;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const update& u = updates[i];
    const real w_k = mixed(0, u.member);
    view<real>& back = *new (&all[i]) view<real>(u.by.project_back(dy, ctx));
    if (u.gate) {
      new (&gates[i]) view<real>(gate_gradient(u, rows, back, w_k, ctx));
      ops::scale_rows{u.gate->gate_values(rows, ctx)}(0, 0, back);
    }
    back *= w_k;
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const scale& s = scales[i];
    view<real>& back = *new (&whole[i]) view<real>(nullptr, 0, 0);
    if (!s.gate) continue;
    new (&back) view<real>(ops::taken_product<P>(dy, scaled_weight(s, w, transpose::no, ctx), ctx));
    const view<real> dz = gate_gradient(s, rows, x, dy, b, back, mixed(0, s.member), ctx);
    back *= mixed(0, s.member);
    ops::scale_rows{s.gate->gate_values(rows, ctx)}(0, 0, back);
    back += dz.lazyProduct(s.gate->weight.value());
  }
  return {all, nullptr, gates, whole};
}

template <class P>
void projection_mix<P>::add_forward(const terms& t, view<real>& block, index row, index col) const {
  for (std::size_t i = 0; i < t.projected.size(); ++i) updates[i].by.term(t.projected[i])(row, col, block);
  t.add_whole(row, col, block);
  if (t.bias != nullptr) ops::add_row<real>{{t.bias, 1, col + block.cols()}}(row, col, block);
}

template <class P>
void projection_mix<P>::add_backward(const terms& t, view<real>& block, index row, index col, const context& ctx) const {
  t.add_whole(row, col, block);
  for (std::size_t i = 0; i < t.projected.size(); ++i) {
    updates[i].by.term_back(t.projected[i], ctx)(row, col, block);
    if (!updates[i].gate) continue;
    const const_view<real> dz = t.gates[i], w = updates[i].gate->weight.value();
    block += dz.middleRows(row, block.rows()).lazyProduct(w.middleCols(col, block.cols()));
  }
}

template <class P>
product_weight<P> projection_mix<P>::factor(const parameter<real>& w, transpose op, context& ctx) const {
  if (scales.empty()) return {w, op};
  if (precomputed_ != nullptr) return {*precomputed_, op};
  view<real> scaled = ctx.memory.take<real>(w.rows(), w.cols());
  scale_weight(w.value(), weights->current(ctx), scaled, false, ctx.threads);
  return {scaled, op};
}

template <class P>
void projection_mix<P>::precompute(const parameter<real>& w, int threads) {
  precomputed_.reset();
  if (scales.empty() || w.is_trained() || needs_input()) return;
  context ctx;
  const auto scaled = std::make_shared<parameter<real>>(parameter<real>::factor(w.name, w.role, w.rows(), w.cols()));
  scale_weight(w.value(), weights->current(ctx), scaled->edit(), false, threads);
  pack_weight<P>(*scaled, true, threads);
  precomputed_ = scaled;
}

template <class P>
product_weight<P> projection_mix<P>::scaled_weight(const scale& s, const parameter<real>& w, transpose op, context& ctx) const {
  view<real> v = ctx.memory.take<real>(w.rows(), w.cols());
  s.scale_into(w.value(), v);
  return {v, op};
}

template <class P>
view<typename P::real> projection_mix<P>::scaled_bias(const scale& s, const parameter<real>& b, context& ctx) const {
  view<real> c = ctx.memory.take<real>(1, b.cols());
  c = b.value();
  if (s.of_rows()) c.array() *= s.by.value().transpose().array();
  return c;
}

template <class P>
void projection_mix<P>::scale_weight(const_view<real> x, const_view<real> mixed, view<real> y, bool add, int threads) const {
  parallel_for(x.rows(), 16, threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      real of_row = 1;
      for (const scale& s : scales) {
        if (s.of_rows()) of_row += mixed(0, s.member) * s.in_weight(r);
      }
      const real *from = x.row_data(r), *before = add ? y.row_data(r) : nullptr;
      real* to = y.row_data(r);
      for (index c = 0; c < x.cols(); ++c) {
        real factor = of_row;
        for (const scale& s : scales) {
          if (!s.of_rows()) factor += mixed(0, s.member) * s.in_weight(c);
        }
        to[c] = from[c] * factor + (before != nullptr ? before[c] : real(0));
      }
    }
  });
}

template <class P>
void projection_mix<P>::accumulate_scales(parameter<real>& w, parameter<real>& b, view<real> dw, const_view<real> db,
                                          const_view<real> mixed, view<real> dmixed, context& ctx) {
  if (w.is_trained()) scale_weight(dw, mixed, gradient_of(w, ctx), true, ctx.threads);
  if (b.is_trained()) {
    view<real> gradient = gradient_of(b, ctx);
    gradient += db;
    for (const scale& s : scales) {
      if (!s.changes_bias()) continue;
      for (index i = 0; i < db.cols(); ++i) gradient(0, i) += mixed(0, s.member) * s.in_weight(i) * db(0, i);
    }
  }
  dw.array() *= w.value().array();
  view<real> of_rows = ctx.memory.take<real>(w.rows(), 1), of_bias = ctx.memory.take<real>(w.rows(), 1);
  view<real> of_columns = ctx.memory.take<real>(1, w.cols());
  of_rows = dw.rowwise().sum();
  of_columns = dw.colwise().sum();
  of_bias = of_rows + db.cwiseProduct(b.value()).transpose();
  for (scale& s : scales) {
    if (s.gate) dmixed(0, s.member) -= of_bias.sum();
    if (s.gate) continue;
    const const_view<real> dl = !s.of_rows() ? of_columns : s.of_bias ? of_bias : of_rows;
    dmixed(0, s.member) += (dl.array() * (s.by.value().array() - real(1))).sum();
    if (s.by.is_trained()) gradient_of(s.by, ctx) += mixed(0, s.member) * dl;
  }
}

template <class P>
view<typename P::real> projection_mix<P>::gate_gradient(const update& u, const product_input<P>& x, const_view<real> back, real w_k,
                                                        context& ctx) const {
  const view<real> projected = u.by.project(x, ctx);
  const real s = u.by.scale();  // of 0 neither product says anything
  view<real> dg = ctx.memory.take<real>(projected.rows(), 1);
  for (index r = 0; r < dg.rows(); ++r) dg(r, 0) = s == real(0) ? real(0) : w_k / s * projected.row(r).dot(back.row(r));
  return u.gate->logits_gradient(x, dg, ctx);
}

template <class P>
void projection_mix<P>::accumulate_gated(scale& s, parameter<real>& w, parameter<real>& b, const_view<real> dv, const_view<real> dc,
                                         real w_k, view<real> dmixed, context& ctx) {
  const const_view<real> l = s.by.value();
  view<real> dl = ctx.memory.take<real>(l.rows(), l.cols()), scaled = ctx.memory.take<real>(w.rows(), w.cols());
  scaled = dv.cwiseProduct(w.value());
  if (s.of_rows()) dl = scaled.rowwise().sum() + dc.cwiseProduct(b.value()).transpose();
  if (!s.of_rows()) dl = scaled.colwise().sum();
  dmixed(0, 0) += dl.cwiseProduct(l).sum() + (s.of_rows() ? real(0) : dc.cwiseProduct(b.value()).sum());
  if (s.by.is_trained()) gradient_of(s.by, ctx) += w_k * dl;
  if (w.is_trained()) {
    s.scale_into(dv, scaled);
    gradient_of(w, ctx) += w_k * scaled;
  }
  if (b.is_trained()) {
    view<real> gradient = gradient_of(b, ctx);
    for (index i = 0; i < dc.cols(); ++i) gradient(0, i) += w_k * dc(0, i) * (s.of_rows() ? l(i, 0) : real(1));
  }
}

template <class P>
void projection_mix<P>::accumulate_weight(update& u, const product_input<P>& x, const product_input<P>& dy, const_view<real> db, real mixed,
                                          view<real> dmixed, context& ctx) {
  scratch::mark mark(ctx.memory);
  if (u.bias) {
    dmixed(0, 0) += u.by.scale() * db.row(0).dot(u.bias->value().row(0));
    if (u.bias->is_trained()) gradient_of(*u.bias, ctx) += mixed * u.by.scale() * db;
  }
  if (!weights->v.is_trained() || u.by.scale() == real(0)) return;
  view<real> projected = u.by.project(x, ctx), back = u.by.project_back(dy, ctx);
  if (u.gate) ops::scale_rows{u.gate->gate_values(x, ctx)}(0, 0, projected);
  ops::sum_blocks<real>(projected.rows(), dmixed, ctx, [&](index begin, index end, view<real> sum) {
    for (index r = begin; r < end; ++r) sum(0, 0) += projected.row(r).dot(back.row(r)) / u.by.scale();
  });
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class projection_mix<GRAFT_PRECISION>;
#endif

}  // namespace graft
