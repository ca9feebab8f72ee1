#pragma once
// The bottleneck adapter of AdapterHub's library in its general form.

#include <optional>

#include "graft/adapters/adapter_kind.hpp"
#include "graft/adapters/general_options.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft {

/// With U the module, s its scaling, LNb and LNa LayerNorms of its own (or nothing), LN the site's (or nothing), as the settings say:
///   t = LN(h + x), h, or x (is_parallel);   u = g s U(LNb(t)),   g = 1 or, gating, the mean of sigmoid(t w^T + b) over a sequence's tokens
///   o = LNa(u) + r, or LNa(u + r),   r = h, h + x or t;   is_parallel: o = LNa(u) + h
///   y = LN(o + x), or o
/// Backward: the same steps, from the last to the first.
/// Saved: what LN and its two, U, and gates save; u where its scaling or a gate is trained.
/// Source: the library's methods/modeling.py.   Tested: tests/adapters/general_adapter_test.cpp
template <class P>
class general_adapter {
 public:
  using precision = P;
  using real = typename P::real;
  static constexpr std::string_view name = general_kind;
  static constexpr bool takes_settings = true;
  struct saved {
    typename layer_norm<P>::saved inner, before, after, norm;
    typename bottleneck<P>::saved module;
    buffer<real> update;                      // U
    buffer<real> gate_values, read, ungated;  // gating: sigmoid(t w^T + b) (N, 1), t, and what it closes on
  };

  static bool stands_at(const adapter_options& o, site_location where) {
    const general_adapter_options settings = parse_general_settings(o.settings);
    if (o.scaling != 1 && settings.scaled != general_adapter_options::scaling::number) {
      throw config_error("adapter_settings: \"scaling\" is trained, and starts at 1: an adapter_scaling beside it has no meaning");
    }
    return settings.size_at(o, where) > 0;
  }

  /// @throws config_error  sizes are not one for each of LAYERS (0: unknown)
  static void check_layers(const adapter_options& o, index layers) {
    const index given = std::ssize(parse_general_settings(o.settings).sizes);
    if (layers == 0 || given == 0 || given == layers) return;
    throw config_error("adapter_settings: \"sizes\" has " + std::to_string(given) + " numbers, one for each of " + std::to_string(layers) +
                       " layers was expected");
  }
  bool reads_sequences() const { return settings.use_gating; }

  /// Parameters PREFIX.{down,up}_project.*, and PREFIX.{norm_before,norm_after}.*, PREFIX.scaling (1 or H numbers, ones), PREFIX.gate.*
  /// where there are such.
  general_adapter(const std::string& prefix, index hidden_size, const adapter_options& o, site_location where)
      : settings(as_general(o)), module(prefix, hidden_size, settings.size_at(o, where), o.act, o.scaling) {
    if (settings.ln_before) before.emplace(prefix + ".norm_before", hidden_size, 1e-5);  // torch.nn.LayerNorm's own epsilon
    if (settings.ln_after) after.emplace(prefix + ".norm_after", hidden_size, 1e-5);
    if (settings.scaled != general_adapter_options::scaling::number) {
      const index numbers = settings.scaled == general_adapter_options::scaling::channel ? hidden_size : 1;
      scaling.emplace(parameter<real>::vector(prefix + ".scaling", parameter_role::adapter, numbers, real(1)));
    }
    if (settings.use_gating) gate.emplace(prefix + ".gate", hidden_size, 1, parameter_role::adapter);
  }

  void forward(const_view<real> h, const_view<real> x, const layer_norm<P>& norm, view<real> y, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    const auto take = [&](bool needed) { return ctx.memory.take<real>(needed ? h.rows() : 0, h.cols()); };
    const auto saved_part = [&](auto saved::*part) { return s != nullptr ? &(s->*part) : nullptr; };
    view<real> inner = take(settings.original_ln_before && !settings.is_parallel);
    if (inner.rows() > 0) norm.forward(h, x, inner, saved_part(&saved::inner), ctx);
    const const_view<real> t = settings.is_parallel ? x : inner.rows() > 0 ? const_view<real>(inner) : h;
    view<real> u = take(true);
    update(t, u, s, ctx);
    if (gate) apply_gate(t, u, s, ctx);
    const bool early = settings.adapter_residual_before_ln && !settings.is_parallel;
    if (early) add_residual(t, h, x, u);
    if (after) after->forward(u, u, saved_part(&saved::after), ctx);
    if (!early) add_residual(t, h, x, u);
    if (settings.original_ln_after && norm.normalizes()) {
      norm.forward(u, x, y, saved_part(&saved::norm), ctx);
    } else {
      y = u;
    }
  }
  void backward(const_view<real> dy, const saved& s, layer_norm<P>& norm, view<real>* dh, view<real>* dx, context& ctx) {
    using residual = general_adapter_options::residual;
    scratch::mark mark(ctx.memory);
    const auto take = [&] { return ctx.memory.take<real>(dy.rows(), dy.cols()); };
    view<real> d_out = take(), to_h = take(), to_x = take(), to_t = take(), d = take();
    if (settings.original_ln_after && norm.normalizes()) {
      norm.backward(dy, s.norm, &d_out, ctx);
      to_x = d_out;
    } else {
      d_out = dy;
      to_x.setZero();
    }
    const bool early = settings.adapter_residual_before_ln && !settings.is_parallel;
    d = d_out;
    if (after) after->backward(d_out, s.after, &d, ctx);
    const const_view<real> d_residual = early ? const_view<real>(d) : const_view<real>(d_out);
    const bool input = settings.from == residual::input && !settings.is_parallel;
    to_h.setZero();
    if (!input) to_h = d_residual;
    if (settings.from == residual::post_add && !settings.is_parallel) to_x += d_residual;
    to_t.setZero();
    if (input) to_t = d_residual;

    if (gate) apply_gate_backward(d, to_t, s, ctx);
    view<real> d_read = take();
    update_backward(d, s, &d_read, ctx);
    to_t += d_read;
    if (settings.is_parallel) {
      to_x += to_t;
    } else if (settings.original_ln_before) {
      norm.backward(to_t, s.inner, &to_t, ctx);
      to_h += to_t;
      to_x += to_t;
    } else {
      to_h += to_t;
    }
    if (dh != nullptr) *dh = to_h;
    if (dx != nullptr) *dx = to_x;
  }

  /// u = s U(LNb(t)), without a gate
  void update(const_view<real> t, view<real> u, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    view<real> read = ctx.memory.take<real>(before ? t.rows() : 0, t.cols());
    if (before) before->forward(t, read, s != nullptr ? &s->before : nullptr, ctx);
    module.update(before ? const_view<real>(read) : t, s != nullptr ? &s->module : nullptr, ctx, ops::store{u});
    if (!scaling) return;
    if (s != nullptr && scaling->is_trained()) s->update.resize(u.rows(), u.cols()) = u;
    scale(u);
  }
  /// DU is overwritten, and so is DT, which may be null.
  void update_backward(view<real> du, const saved& s, view<real>* dt, context& ctx) {
    scratch::mark mark(ctx.memory);
    if (scaling) {
      if (scaling->is_trained()) add_scaling_gradient(du, s.update, ctx);
      scale(du);
    }
    const bool through = dt != nullptr || (before && is_trainable(*before));
    view<real> scratch_d = ctx.memory.take<real>(through && dt == nullptr ? du.rows() : 0, du.cols());
    view<real> d_read = dt != nullptr ? *dt : scratch_d;
    module.update_backward(du, s.module, real(0), through ? &d_read : nullptr, ctx);
    if (before && through) before->backward(d_read, s.before, dt, ctx);
  }

  void for_each_parameter(parameter_visitor<real> f) {
    module.for_each_parameter(f);
    if (before) before->for_each_parameter(f);
    if (after) after->for_each_parameter(f);
    if (scaling) f(*scaling);
    if (gate) gate->for_each_parameter(f);
  }
  /// Those that update() reads.
  template <class F>
  void for_each_update_parameter(F&& f) {
    module.for_each_parameter(f);
    if (before) before->for_each_parameter(f);
    if (scaling) f(*scaling);
  }
  index saved_numbers(index h) const {
    const bool inner = settings.original_ln_before && !settings.is_parallel;
    const index norms = (inner ? 1 : 0) + (after ? 1 : 0) + (settings.original_ln_after ? 1 : 0);
    return norms * (h + 1) + update_numbers(h) + (gate ? 2 * h + 1 : 0);
  }
  /// ... of which this for update().
  index update_numbers(index h) const { return module.saved_numbers() + (before ? h + 1 : 0) + (scaling && scaling->is_trained() ? h : 0); }

  general_adapter_options settings;            // which of the parts are there
  bottleneck<P> module;                        // U
  std::optional<layer_norm<P>> before, after;  // LNb, LNa
  std::optional<parameter<real>> scaling;      // s, where it is trained
  std::optional<linear<P>> gate;               // w (1, H), b (1)

 private:
  /// u = s u, one number or one a column
  void scale(view<real> u) const {
    if (scaling->size() == 1) {
      u *= scaling->value()(0, 0);
    } else {
      u.array().rowwise() *= scaling->value().row(0).array();
    }
  }
  /// u = g u
  void apply_gate(const_view<real> t, view<real> u, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    view<real> gate_values = s != nullptr ? s->gate_values.resize(u.rows(), 1) : ctx.memory.take<real>(u.rows(), 1);
    if (s != nullptr) {
      s->read.resize(t.rows(), t.cols()) = t;
      s->ungated.resize(u.rows(), u.cols()) = u;
    }
    const const_view<real> w = gate->weight.value(), b = gate->bias.value();
    for_each_sequence(ctx, u.rows(), [&](index begin, index end) {
      real sum = 0;
      for (index r = begin; r < end; ++r) sum += gate_values(r, 0) = 1 / (1 + std::exp(-(t.row(r).dot(w.row(0)) + b(0, 0))));
      for (index r = begin; r < end; ++r) u.row(r) *= sum / static_cast<real>(end - begin);
    });
  }
  /// d = g d, and what goes through g to t, w and b
  void apply_gate_backward(view<real> d, view<real> to_t, const saved& s, context& ctx) {
    const const_view<real> gate_values = s.gate_values, t = s.read, u = s.ungated, w = gate->weight.value();
    for_each_sequence(ctx, d.rows(), [&](index begin, index end) {
      real sum = 0, dg = 0;
      for (index r = begin; r < end; ++r) {
        sum += gate_values(r, 0);
        dg += d.row(r).dot(u.row(r));
      }
      const real n = static_cast<real>(end - begin);
      for (index r = begin; r < end; ++r) {
        const real dlogit = dg / n * gate_values(r, 0) * (1 - gate_values(r, 0));
        to_t.row(r) += dlogit * w.row(0);
        if (gate->weight.is_trained()) gradient_of(gate->weight, ctx).row(0) += dlogit * t.row(r);
        if (gate->bias.is_trained()) gradient_of(gate->bias, ctx)(0, 0) += dlogit;
        d.row(r) *= sum / n;
      }
    });
  }
  /// One after another, whatever the threads, so that sums have one order.
  template <class F>
  static void for_each_sequence(const context& ctx, index rows, F&& f) {
    if (ctx.offsets().empty() || ctx.offsets().back() != rows)
      throw shape_error("a gated adapter was given other rows than its sequences'");
    for (index b = 0; b < ctx.sequences(); ++b) f(ctx.first_row(b), ctx.first_row(b + 1));
  }
  /// u += r
  void add_residual(const_view<real> t, const_view<real> h, const_view<real> x, view<real> u) const {
    using residual = general_adapter_options::residual;
    if (settings.is_parallel || settings.from != residual::input) {
      u += h;
      if (!settings.is_parallel && settings.from == residual::post_add) u += x;
    } else {
      u += t;
    }
  }
  /// ds += the sum of du U, over everything or over each column
  void add_scaling_gradient(const_view<real> du, const_view<real> update, context& ctx) {
    scratch::mark mark(ctx.memory);
    view<real> product = ctx.memory.take<real>(du.rows(), du.cols());
    product = du.cwiseProduct(update);
    view<real> sums = ctx.memory.take<real>(1, du.cols());
    sums.setZero();
    ops::add_column_sum<real>(product, sums, ctx);
    view<real> gradient = gradient_of(*scaling, ctx);
    if (gradient.cols() == 1) {
      gradient(0, 0) += sums.sum();
    } else {
      gradient += sums;
    }
  }
};

static_assert(adapter_kind<general_adapter<f64>> && adapter_kind<general_adapter<f32>> && adapter_kind<general_adapter<bf16>>);

}  // namespace graft
