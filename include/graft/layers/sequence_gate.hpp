#pragma once
// A number for each sequence, made of its rows, by which something is scaled.

#include <cmath>
#include <numeric>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/gemm/gemm.hpp"
#include "graft/ops/column_sum.hpp"
#include "graft/ops/epilogues.hpp"

namespace graft {

/// g = mean of s(z), z = w x + b, over a sequence's n rows, s the logistic function
/// Backward:  dz = dg s(z) (1 - s(z)) / n,   dg being the sum over the sequence of <dy, what g scales>;   dx += dz w;   dw += dz^T x
/// @param  x  (N, I) rows are tokens, sequences from ctx.offsets()
/// Source: Mao et al. 2022, section 3.2; AdapterHub's library, methods/lora.py.   Tested: tests/layers/low_rank_test.cpp
template <class P>
class sequence_gate {
 public:
  using real = typename P::real;

  /// Parameters PREFIX.weight (1, IN) and PREFIX.bias (1).
  sequence_gate(const std::string& prefix, index in)
      : weight(parameter<real>::factor(prefix + ".weight", parameter_role::adapter, 1, in)),
        bias(parameter<real>::vector(prefix + ".bias", parameter_role::bias, 1)) {}

  /// g of each row's sequence (N, 1), in scratch memory.
  /// @throws shape_error  x has other rows than the sequences of CTX
  view<real> gate_values(const product_input<P>& x, context& ctx) const {
    view<real> g = sigmoids(x, ctx);
    for (index b = 0; b < ctx.sequences(); ++b) {
      view<real> sequence = g.window(ctx.first_row(b), 0, ctx.length(b), 1);
      sequence.setConstant(sum(sequence) / static_cast<real>(sequence.rows()));
    }
    return g;
  }
  /// dz (N, 1), in scratch memory, from what each row adds to its sequence's dg: DG (N, 1).
  view<real> logits_gradient(const product_input<P>& x, const_view<real> dg, context& ctx) const {
    view<real> dz = sigmoids(x, ctx);
    for (index b = 0; b < ctx.sequences(); ++b) {
      const index first = ctx.first_row(b), n = ctx.length(b);
      view<real> sequence = dz.window(first, 0, n, 1);
      sequence.array() *= (real(1) - sequence.array()) * (sum(dg.window(first, 0, n, 1)) / static_cast<real>(n));
    }
    return dz;
  }
  /// Adds the gradients of those of w and b that are trained.
  template <class X>
  void accumulate_gradients(const_view<real> dz, const const_view<X>& x, context& ctx) {
    add_weight_gradient<P>(weight, dz, x, ctx);
    if (bias.is_trained()) ops::add_column_sum<real>(dz, gradient_of(bias, ctx), ctx);
  }

  void for_each_parameter(parameter_visitor<real> f) {
    f(weight);
    f(bias);
  }

  parameter<real> weight, bias;  // w, b

 private:
  /// s(z) (N, 1), in scratch memory.
  view<real> sigmoids(const product_input<P>& x, context& ctx) const {
    if (ctx.offsets().empty() || ctx.offsets().back() != x.rows()) throw shape_error("a gate was given other rows than its sequences'");
    view<real> s = ops::taken_product<P>(x, {weight, transpose::yes}, ctx);
    for (index r = 0; r < s.rows(); ++r) s(r, 0) = 1 / (1 + std::exp(-(s(r, 0) + bias.value()(0, 0))));
    return s;
  }
  /// In the order of rows, which lie side by side.
  static real sum(const_view<real> column) { return std::accumulate(column.data(), column.data() + column.rows(), real(0)); }
};

static_assert(parameterized<sequence_gate<f64>>);

}  // namespace graft
