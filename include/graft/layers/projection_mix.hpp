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
    void add_whole(index row, index col, view<real>& block) const {
      for (const auto& one : whole) {
        if (one.rows() > 0) block += one.window(row, col, block.rows(), block.cols());
      }
    }
  };

  /// Of no member yet.
  explicit projection_mix(std::shared_ptr<mixing_weights<P>> shared) : weights(std::move(shared)) {}

  /// In scratch memory.
  terms project(const product_input<P>& x, const parameter<real>& w, const parameter<real>& b, context& ctx) const;
  /// X is what `project` read; only gates read it.
  terms project_back(const product_input<P>& dy, const_view<operand> x, const parameter<real>& w, const parameter<real>& b,
                     context& ctx) const;
  /// Adds what the members change to the block of y, or of dx, that begins at (ROW, COL).
  void add_forward(const terms& t, view<real>& block, index row, index col) const;
  void add_backward(const terms& t, view<real>& block, index row, index col, const context& ctx) const;

  /// W', or W as it is without scales.
  product_weight<P> factor(const parameter<real>& w, transpose op, context& ctx) const;
  /// Makes W' once and for all, where the mixing weights are frozen; nothing of this is to be edited any more.
  void precompute(const parameter<real>& w, int threads);

  /// Adds the gradients of the mixing weights, of what is trained of the members and, where there are scales, of W and B.
  template <class S, class X>
  void accumulate_gradients(parameter<real>& w, parameter<real>& b, const const_view<S>& dy, const const_view<X>& x, context& ctx) {
    scratch::mark mark(ctx.memory);
    view<real> mixed = weights->current(ctx), dmixed = ctx.memory.take<real>(1, mixed.cols()), db = ctx.memory.take<real>(1, b.cols());
    dmixed.setZero();
    db.setZero();
    if (touches_bias()) ops::add_column_sum<real, S>(dy, db, ctx);
    const bool needs_x = needs_input(), reads_rows = gated() || (!updates.empty() && needs_x);
    const product_input<P> rows = reads_rows ? product_input<P>(x).ready(ctx) : x,
                           drows = reads_rows ? product_input<P>(dy).ready(ctx) : dy;
    if (!scales.empty() && (needs_x || w.is_trained() || b.is_trained())) {
      view<real> dw = ctx.memory.take<real>(w.rows(), w.cols());
      ++ctx.counters.weight_gradient_products;
      multiply<P>(transpose::yes, dy, transpose::no, x, real(0), dw, ctx);
      accumulate_scales(w, b, dw, db, mixed, dmixed, ctx);
      for (scale& s : scales) {
        if (!s.gate) continue;
        scratch::mark member_mark(ctx.memory);
        view<real> opened = ctx.memory.take<real>(dy.rows(), dy.cols());
        convert_rows(dy, opened, ctx.threads);
        ops::scale_rows{s.gate->gate_values(rows, ctx)}(0, 0, opened);
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
    if (needs_x) {
      for (update& u : updates) {
        scratch::mark member_mark(ctx.memory);
        const real w_k = mixed(0, u.member);
        accumulate_weight(u, rows, drows, db, w_k, dmixed.window(0, u.member, 1, 1), ctx);
        u.by.accumulate_gradients(dy, x, ctx, w_k, u.gate ? u.gate->gate_values(rows, ctx) : view<real>(nullptr, 0, 0));
        if (u.gate && is_trainable(*u.gate))
          u.gate->accumulate_gradients(gate_gradient(u, rows, u.by.project_back(drows, ctx), w_k, ctx), x, ctx);
      }
    }
    weights->backward(dmixed, mixed, ctx);
  }

  /// Whether a gradient needs x.
  bool needs_input() const { return gated() || weights->v.is_trained() || is_trainable(*this); }
  /// Whether a member reads whole sequences.
  bool gated() const {
    const auto is_gated = [](const auto& one) { return one.gate.has_value(); };
    return std::ranges::any_of(updates, is_gated) || std::ranges::any_of(scales, is_gated);
  }

  /// Those of the members; the mixing weights are visited where their owner is.
  void for_each_parameter(parameter_visitor<real> f) {
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
  std::vector<update> updates;                 // of the members that are updates
  std::vector<scale> scales;                   // of the others

 private:
  bool touches_bias() const {
    return !scales.empty() || std::ranges::any_of(updates, [](const update& u) { return u.bias.has_value(); });
  }
  /// V of S, in scratch memory.
  product_weight<P> scaled_weight(const scale& s, const parameter<real>& w, transpose op, context& ctx) const;
  /// c of a gated S, in scratch memory.
  view<real> scaled_bias(const scale& s, const parameter<real>& b, context& ctx) const;
  /// y_ij = x_ij (1 + sum of w_k (l_k - 1)_i or j)
  void scale_weight(const_view<real> x, const_view<real> mixed, view<real> y, bool add, int threads) const;
  /// The gradients of what stands for scales, from DW = dy^T x and DB, the sum of dy. DW is overwritten.
  void accumulate_scales(parameter<real>& w, parameter<real>& b, view<real> dw, const_view<real> db, const_view<real> mixed,
                         view<real> dmixed, context& ctx);
  /// What the logits of U's gate get (N, 1), in scratch memory; BACK is s dy B, W_K its weight.
  view<real> gate_gradient(const update& u, const product_input<P>& x, const_view<real> back, real w_k, context& ctx) const;
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
                        view<real> dmixed, context& ctx);
  /// DMIXED (1, 1) += <dy, d(x)> of U, and the gradient of its bias.
  void accumulate_weight(update& u, const product_input<P>& x, const product_input<P>& dy, const_view<real> db, real mixed,
                         view<real> dmixed, context& ctx);

  std::shared_ptr<const parameter<real>> precomputed_;
};

static_assert(parameterized<projection_mix<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/projection_mix-inl.hpp"  // IWYU pragma: export
#endif
