#pragma once
// What the members of a mix change of one projection, each with its weight.

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "graft/core/layer.hpp"
#include "graft/core/parallel.hpp"
#include "graft/layers/low_rank.hpp"
#include "graft/layers/mixing_weights.hpp"
#include "graft/layers/sequence_gate.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft {

/// y = W x + b + sum_k w_k d_k(x),   d_k(x) = y_k(x) - (W x + b), y_k being what member k alone would give here: where the w sum to one,
/// y = sum_k w_k y_k. A member that changes nothing here has d_k = 0 and is not among these, as the untouched base.
///   update  d = g s (B A x + c), g a gate where there is one, without c, else 1
///   scale   d = ((l - 1) W) x, row i of W times l_i, or column i; with b: + (l - 1) b
///   gated   y_k = g (V x + c), V = W with row i times l_i, c = l b, or with column i times l_i, c = b
/// Scales are computed in the weight: y = W' x + b',   W'_ij = W_ij (1 + sum of w_k (l_k - 1)_i or j),   b' likewise; of gated ones it gets
/// -w_k W, and y_k comes from a product of its own.
/// Backward:  dw_k = <dy, d_k(x)>;   w_k dy goes through d_k to x and to what of the member is trained. Of an update dw_k is
///            <g x A^T, s dy B>, both narrow; of a scale it comes from dy^T x, of a gated one from (g dy)^T x, too.
/// Saved: nothing; the projection keeps x.   Tested: tests/model/gradient_test.cpp, tests/model/mix_test.cpp
template <class P>
class projection_mix {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  /// Of the member that the weight MEMBER is for.
  struct update {
    index member;
    low_rank<P> by;                          // s B A
    std::optional<parameter<real>> bias{};   // c (O)
    std::optional<sequence_gate<P>> gate{};  // g
  };
  struct scale {
    index member;
    parameter<real> by;                      // l, (O, 1) for rows or (1, I) for columns
    bool of_bias;                            // of rows: b is scaled, too
    std::optional<sequence_gate<P>> gate{};  // g; of rows then b is scaled
    bool of_rows() const { return by.cols() == 1; }
    /// What it adds to 1 in W', times w_k
    real in_weight(index i) const { return gate ? real(-1) : by.value().data()[i] - real(1); }
    bool changes_bias() const { return of_bias || gate; }
    /// TO = M, its rows or columns times l
    void scale_into(const_view<real> m, view<real> to) const {
      if (of_rows()) to = m.array().colwise() * by.value().array().col(0);
      if (!of_rows()) to = m.array().rowwise() * by.value().array().row(0);
    }
  };
  /// What the blocks of a product read: w_k g_k s_k x A_k^T of every update, or w_k g_k s_k dy B_k; what is added to b; what gates get;
  /// what is added whole, w_k y_k of gated scales, or what x gets from them.
  struct terms {
    std::span<const view<real>> projected{};
    const real* bias = nullptr;
    std::span<const view<real>> gates{};
    std::span<const view<real>> whole{};
  };

  /// Of no member yet.
  explicit projection_mix(std::shared_ptr<mixing_weights<P>> shared) : weights(std::move(shared)) {}

  /// In scratch memory.
  terms project(const product_input<P>& x, const parameter<real>& w, const parameter<real>& b, context& ctx) const {
    const auto all = ctx.memory.take_array<view<real>>(updates.size());
    const view<real> mixed = weights->current(ctx);
    for (std::size_t i = 0; i < all.size(); ++i) {
      view<real>& there = *new (&all[i]) view<real>(updates[i].by.project(x, ctx));
      there *= mixed(0, updates[i].member);
      if (updates[i].gate) ops::scale_rows{updates[i].gate->open(x, ctx)}(0, 0, there);
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
                                     ops::scale_rows{s.gate->open(x, ctx)});
      };
      new (&whole[k]) view<real>(s.gate ? gated_output() : view<real>(nullptr, 0, 0));
    }
    return {all, bias.data(), {}, whole};
  }
  /// X is what `project` read; only gates read it.
  terms project_back(const product_input<P>& dy, const_view<operand> x, const parameter<real>& w, const parameter<real>& b,
                     context& ctx) const {
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
        ops::scale_rows{u.gate->open(rows, ctx)}(0, 0, back);
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
      ops::scale_rows{s.gate->open(rows, ctx)}(0, 0, back);
      back += dz.lazyProduct(s.gate->weight.value());
    }
    return {all, nullptr, gates, whole};
  }
  /// Adds what the members change to the block of y, or of dx, that begins at (ROW, COL).
  void add_forward(const terms& t, view<real> block, index row, index col) const {
    for (std::size_t i = 0; i < t.projected.size(); ++i) updates[i].by.term(t.projected[i])(row, col, block);
    add_whole(t, block, row, col);
    if (t.bias != nullptr) ops::add_row<real>{{t.bias, 1, col + block.cols()}}(row, col, block);
  }
  void add_backward(const terms& t, view<real> block, index row, index col, const context& ctx) const {
    add_whole(t, block, row, col);
    for (std::size_t i = 0; i < t.projected.size(); ++i) {
      updates[i].by.term_back(t.projected[i], ctx)(row, col, block);
      if (!updates[i].gate) continue;
      const const_view<real> dz = t.gates[i], w = updates[i].gate->weight.value();
      block += dz.middleRows(row, block.rows()).lazyProduct(w.middleCols(col, block.cols()));
    }
  }

  /// W', or W as it is without scales.
  product_weight<P> factor(const parameter<real>& w, transpose op, context& ctx) const {
    if (scales.empty()) return {w, op};
    if (settled_ != nullptr) return {*settled_, op};
    view<real> scaled = ctx.memory.take<real>(w.rows(), w.cols());
    scale_weight(w.value(), weights->current(ctx), scaled, false, ctx.threads);
    return {scaled, op};
  }
  /// Makes W' once and for all, where the mixing weights are frozen; nothing of this is to be edited any more.
  void settle(const parameter<real>& w, int threads) {
    settled_.reset();
    if (scales.empty() || w.is_trained() || needs_input()) return;
    context ctx;
    const auto scaled = std::make_shared<parameter<real>>(parameter<real>::factor(w.name, w.role, w.rows(), w.cols()));
    scale_weight(w.value(), weights->current(ctx), scaled->edit(), false, threads);
    pack_weight<P>(*scaled, true, threads);
    settled_ = scaled;
  }

  /// Adds the gradients of the mixing weights, of what is trained of the members and, where there are scales, of W and B.
  template <class S, class X>
  void accumulate_gradients(parameter<real>& w, parameter<real>& b, const const_view<S>& dy, const const_view<X>& x, context& ctx) {
    scratch::mark mark(ctx.memory);
    view<real> mixed = weights->current(ctx), dmixed = ctx.memory.take<real>(1, mixed.cols()), db = ctx.memory.take<real>(1, b.cols());
    dmixed.setZero();
    db.setZero();
    if (touches_bias()) ops::add_column_sum<real, S>(dy, db, ctx);
    const bool reads_input = needs_input(), reads_rows = gated() || (!updates.empty() && reads_input);
    const product_input<P> rows = reads_rows ? product_input<P>(x).ready(ctx) : x,
                           drows = reads_rows ? product_input<P>(dy).ready(ctx) : dy;
    if (!scales.empty() && (reads_input || w.is_trained() || b.is_trained())) {
      view<real> dw = ctx.memory.take<real>(w.rows(), w.cols());
      ++ctx.counters.weight_gradient_products;
      multiply<P>(transpose::yes, dy, transpose::no, x, real(0), dw, ctx);
      accumulate_scales(w, b, dw, db, mixed, dmixed, ctx);
      for (scale& s : scales) {
        if (!s.gate) continue;
        scratch::mark own(ctx.memory);
        view<real> opened = ctx.memory.take<real>(dy.rows(), dy.cols());
        convert_rows(dy, opened, ctx.threads);
        ops::scale_rows{s.gate->open(rows, ctx)}(0, 0, opened);
        db.setZero();
        ops::add_column_sum<real>(opened, db, ctx);
        ++ctx.counters.weight_gradient_products;
        multiply<P>(transpose::yes, const_view<real>(opened), transpose::no, x, real(0), dw, ctx);
        accumulate_gated(s, w, b, dw, db, mixed(0, s.member), dmixed.window(0, s.member, 1, 1), ctx);
        if (!is_trainable(*s.gate)) continue;
        const view<real> back = ops::taken_product<P>(drows, scaled_weight(s, w, transpose::no, ctx), ctx);
        s.gate->accumulate_gradients(gate_gradient(s, rows, x, drows, b, back, mixed(0, s.member), ctx), x, ctx);
      }
    }
    if (!updates.empty() && reads_input) {
      for (update& u : updates) {
        scratch::mark own(ctx.memory);
        const real w_k = mixed(0, u.member);
        accumulate_weight(u, rows, drows, db, w_k, dmixed.window(0, u.member, 1, 1), ctx);
        if (!u.gate) {
          u.by.accumulate_gradients(dy, x, ctx, w_k);
          continue;
        }
        const view<real> g = u.gate->open(rows, ctx);
        u.by.accumulate_gradients(dy, x, ctx, w_k, &g);
        if (is_trainable(*u.gate)) u.gate->accumulate_gradients(gate_gradient(u, rows, u.by.project_back(drows, ctx), w_k, ctx), x, ctx);
      }
    }
    weights->backward(dmixed, mixed, ctx);
  }

  /// Whether a gradient needs x.
  bool needs_input() const { return gated() || weights->v.is_trained() || is_trainable(*this); }
  /// Whether a member reads whole sequences.
  bool gated() const {
    const auto is_gated = [](const auto& one) { return one.gate.has_value(); };
    return std::any_of(updates.begin(), updates.end(), is_gated) || std::any_of(scales.begin(), scales.end(), is_gated);
  }

  /// Those of the members; the mixing weights are visited where their owner is.
  template <class F>
  void for_each_parameter(F&& f) {
    for (update& u : updates) {
      u.by.for_each_parameter(f);
      if (u.bias) f(*u.bias);
      if (u.gate) u.gate->for_each_parameter(f);
    }
    for (scale& s : scales) {
      f(s.by);
      if (s.gate) s.gate->for_each_parameter(f);
    }
  }

  std::shared_ptr<mixing_weights<P>> weights;  // w, and what d_k is made of
  std::vector<update> updates;
  std::vector<scale> scales;

 private:
  static void add_whole(const terms& t, view<real> block, index row, index col) {
    for (const auto& one : t.whole) {
      if (one.rows() > 0) block += one.window(row, col, block.rows(), block.cols());
    }
  }
  bool touches_bias() const {
    return !scales.empty() || std::any_of(updates.begin(), updates.end(), [](const update& u) { return u.bias.has_value(); });
  }
  /// V of S, in scratch memory.
  product_weight<P> scaled_weight(const scale& s, const parameter<real>& w, transpose op, context& ctx) const {
    view<real> v = ctx.memory.take<real>(w.rows(), w.cols());
    s.scale_into(w.value(), v);
    return {v, op};
  }
  /// c of a gated S, in scratch memory.
  view<real> scaled_bias(const scale& s, const parameter<real>& b, context& ctx) const {
    view<real> c = ctx.memory.take<real>(1, b.cols());
    c = b.value();
    if (s.of_rows()) c.array() *= s.by.value().transpose().array();
    return c;
  }
  /// y_ij = x_ij (1 + sum of w_k (l_k - 1)_i or j)
  void scale_weight(const_view<real> x, const_view<real> mixed, view<real> y, bool add, int threads) const {
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
  /// The gradients of what stands for scales, from DW = dy^T x and DB, the sum of dy. DW is overwritten.
  void accumulate_scales(parameter<real>& w, parameter<real>& b, view<real> dw, const_view<real> db, const_view<real> mixed,
                         view<real> dmixed, context& ctx) {
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
  /// What the logits of U's gate get (N, 1), in scratch memory; BACK is s dy B, W_K its weight.
  view<real> gate_gradient(const update& u, const product_input<P>& x, const_view<real> back, real w_k, context& ctx) const {
    const view<real> there = u.by.project(x, ctx);
    view<real> dg = ctx.memory.take<real>(there.rows(), 1);
    for (index r = 0; r < dg.rows(); ++r) dg(r, 0) = w_k / u.by.scale() * there.row(r).dot(back.row(r));
    return u.gate->logits_gradient(x, dg, ctx);
  }
  /// The same of a gated S; BACK is dy V.
  template <class X>
  view<real> gate_gradient(const scale& s, const product_input<P>& rows, const const_view<X>& x, const product_input<P>& dy,
                           const parameter<real>& b, const_view<real> back, real w_k, context& ctx) const {
    view<real> dg = ctx.memory.take<real>(back.rows(), 1);
    const view<real> of_c = ops::taken_product<P>(dy, {scaled_bias(s, b, ctx), transpose::yes}, ctx);
    for (index r = 0; r < dg.rows(); ++r) dg(r, 0) = w_k * (back.row(r).dot(x.row(r).template cast<real>()) + of_c(r, 0));
    return s.gate->logits_gradient(rows, dg, ctx);
  }
  /// The gradients of W_K y_k of a gated S, from DV = (g dy)^T x and DC, the sum of g dy.
  void accumulate_gated(scale& s, parameter<real>& w, parameter<real>& b, const_view<real> dv, const_view<real> dc, real w_k,
                        view<real> dmixed, context& ctx) {
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
  /// DMIXED (1, 1) += <dy, d(x)> of U, and the gradient of its bias.
  void accumulate_weight(update& u, const product_input<P>& x, const product_input<P>& dy, const_view<real> db, real mixed,
                         view<real> dmixed, context& ctx) {
    scratch::mark mark(ctx.memory);
    if (u.bias) {
      dmixed(0, 0) += u.by.scale() * db.row(0).dot(u.bias->value().row(0));
      if (u.bias->is_trained()) gradient_of(*u.bias, ctx) += mixed * u.by.scale() * db;
    }
    if (!weights->v.is_trained()) return;
    const view<real> there = u.by.project(x, ctx), back = u.by.project_back(dy, ctx);
    if (u.gate) ops::scale_rows{u.gate->open(x, ctx)}(0, 0, there);
    ops::sum_pieces<real>(there.rows(), dmixed, ctx, [&](index begin, index end, view<real> sum) {
      for (index r = begin; r < end; ++r) sum(0, 0) += there.row(r).dot(back.row(r)) / u.by.scale();
    });
  }

  std::shared_ptr<const parameter<real>> settled_;
};

static_assert(parameterized<projection_mix<f64>>);

}  // namespace graft
