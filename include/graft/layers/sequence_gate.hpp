#pragma once
// A number for each sequence, made of its rows, by which something is scaled.

#include <cmath>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/gemm/gemm.hpp"

namespace graft {

/// g = mean of s(w x + b) over a sequence's rows, s the logistic function. It is computed, not trained.
/// @param  x  (N, I) rows are tokens, sequences from ctx.offsets
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
  view<real> open(const packed_a<P>& x, context& ctx) const {
    if (ctx.offsets.empty() || ctx.offsets.back() != x.rows()) throw shape_error("a gate was given other rows than its sequences'");
    view<real> g = ctx.memory.take<real>(x.rows(), 1);
    product<P>(x, weight_factor<P>(weight, transpose::yes, ctx), ctx,
               [&](index row, index col, const auto& block) { g.window(row, col, block.rows(), block.cols()) = block; });
    for (std::size_t i = 0; i + 1 < ctx.offsets.size(); ++i) {
      view<real> own = g.window(ctx.offsets[i], 0, ctx.offsets[i + 1] - ctx.offsets[i], 1);
      real sum = 0;
      for (index r = 0; r < own.rows(); ++r) sum += 1 / (1 + std::exp(-(own(r, 0) + bias.value()(0, 0))));
      own.setConstant(sum / static_cast<real>(own.rows()));
    }
    return g;
  }

  template <class F>
  void for_each_parameter(F&& f) {
    f(weight);
    f(bias);
  }

  parameter<real> weight, bias;  // w, b
};

static_assert(parameterized<sequence_gate<f64>>);

}  // namespace graft
