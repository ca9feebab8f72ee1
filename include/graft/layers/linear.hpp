#pragma once
// The fully connected layer.

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "graft/core/layer.hpp"
#include "graft/gemm/gemm.hpp"
#include "graft/gemm/int8_product.hpp"
#include "graft/layers/dora.hpp"
#include "graft/layers/low_rank.hpp"
#include "graft/layers/projection_mix.hpp"
#include "graft/layers/sequence_gate.hpp"
#include "graft/ops/blocks.hpp"
#include "graft/ops/column_sum.hpp"
#include "graft/ops/mixed_adapters.hpp"

namespace graft {

/// y = x W^T + b, plus the low-rank update if there is one; a gate scales that, or else all of y (not backward). Or plus what the members
/// of a mix change here, whose gates go backward, too. Backward:  dx = dy W;   dW += dy^T x;   db += sum dy;   the update's own beside them
/// @param  x  (N, I) rows are tokens            @param[out] y  (N, O)            W (O, I), b (O)
/// Saved: x, only when W, its update or the weights of a mix are trained.   Cost: 2 N I O forward, the same for dx and for dW.   Frozen: no
/// dW product, no gradient.
/// @throws shape_error  x.cols() != I
/// Source: torch.nn.Linear.   Tested: tests/layers/linear_test.cpp
template <class P>
class linear {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  struct saved {
    buffer<operand> x;
  };

  /// Parameters PREFIX.weight and, if it is BIASED, PREFIX.bias, zero. ROLE is the weight's.
  linear(const std::string& prefix, index in, index out, parameter_role role = parameter_role::weight, bool biased = true);

  /// PREFIX
  std::string name() const { return weight.name.substr(0, weight.name.size() - std::string(".weight").size()); }
  index in() const { return weight.cols(); }
  index out() const { return weight.rows(); }

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx);

  /// The parts of forward, for callers that share x among layers, or go on with y while it is in cache: x kept and x packed ...
  void save_input(const_view<real> x, saved* s, context& ctx) const;
  packed_a<P> pack(const_view<real> x, context& ctx) const;
  /// ... and f(row, col, block) for every block of y (gemm/product.hpp).
  void forward_blocks(const packed_a<P>& x, context& ctx, block_function<P> f) const;
  /// The same for several layers that read the same x:  f(which, row, col, block).
  template <std::size_t N>
  static void forward_blocks(const std::array<const linear*, N>& layers, const packed_a<P>& x, context& ctx, blocks_function<P> f) {
    scratch::mark mark(ctx.memory);
    const auto each = [&](auto&& value) {
      return [&]<std::size_t... I>(std::index_sequence<I...>) { return std::array{value(*layers[I])...}; }
      (std::make_index_sequence<N>());
    };
    const auto updates = each([&](const linear& l) { return l.lora ? l.lora->project(x, ctx) : view<real>(nullptr, 0, 0); });
    const auto gates = each([&](const linear& l) {
      view<real> g = l.gate ? l.gate->open(x, ctx) : view<real>(nullptr, 0, 0);
      if (l.gate && l.lora) {
        view<real> u = updates[static_cast<std::size_t>(std::find(layers.begin(), layers.end(), &l) - layers.begin())];
        for (index r = 0; r < u.rows(); ++r) u.row(r) *= g(r, 0);
      }
      return g;
    });
    const auto mixed = each([&](const linear& l) { return l.mix ? l.mix->project(x, l.weight, l.bias, ctx) : mix_terms(); });
    const auto finish = [&](index which, index row, index col, view<real> block) {
      const linear& l = *layers[static_cast<std::size_t>(which)];
      const real* bias = l.bias.value().data() + col;
      for_each_row(block, [&](index i, auto width) {
        real* to = block.row_data(i);
#pragma omp simd
        for (index c = 0; c < width; ++c) to[c] += bias[c];
      });
      if (l.lora) l.lora->add_forward(updates[static_cast<std::size_t>(which)], block, row, col);
      if (l.gate && !l.lora) {
        for (index i = 0; i < block.rows(); ++i) block.row(i) *= gates[static_cast<std::size_t>(which)](row + i, 0);
      }
      if (l.mix) l.mix->add_forward(mixed[static_cast<std::size_t>(which)], block, row, col);
      f(which, row, col, block);
    };
    if (std::all_of(layers.begin(), layers.end(), [](const linear* l) { return l->multiplies_in_int8(); })) {
      const auto factors = each([](const linear& l) { return *int8_form(l.weight); });
      int8_products<P>(x, std::span<const int8_weight>(factors), ctx, finish);
    } else {
      const auto factors = each([&](const linear& l) { return l.factor(transpose::yes, ctx); });
      products<P>(x, std::span<const packed_b<P>>(factors), ctx, finish);
    }
  }

  /// The parts of backward. X is what `forward` read; DY and X may be kept in P's operand type.
  template <class S, class X>
  void accumulate_gradients(const const_view<S>& dy, const const_view<X>& x, context& ctx) {
    if (mix) mix->accumulate_gradients(weight, bias, dy, x, ctx);
    if (mix && !mix->scales.empty()) return;  // which change what W's gradient is, and b's
    if (weight.is_trained()) {
      ++ctx.counters.weight_gradient_products;
      multiply<P>(transpose::yes, dy, transpose::no, x, real(1), gradient_of(weight, ctx), ctx);
    }
    if (bias.is_trained()) ops::add_column_sum<real, S>(dy, gradient_of(bias, ctx), ctx);
    if (lora) lora->accumulate_gradients(dy, x, ctx);
    if (dora) dora->accumulate_gradients(weight, dy, x, ctx);
  }
  /// dx = dy W + beta dx. X as above, where gates of a mix may read it.
  void input_gradient(const_view<real> dy, real beta, view<real> dx, context& ctx) const;
  void input_gradient(const packed_a<P>& dy, real beta, view<real> dx, context& ctx, const_view<operand> x = nothing()) const;
  template <std::size_t N>
  static void input_gradient(const std::array<const linear*, N>& layers, const std::array<packed_a<P>, N>& dys, real beta, view<real> dx,
                             context& ctx, const_view<operand> x = nothing()) {
    const auto take = [&](index row, index col, const auto& block) {
      if (beta == real(0)) {
        ops::write_block(block, dx, row, col);
        return;
      }
      for_each_row(block, [&](index i, auto width) {
        const real* from = block.row_data(i);
        real* to = dx.row_data(row + i) + col;
#pragma omp simd
        for (index c = 0; c < width; ++c) to[c] = from[c] + beta * to[c];
      });
    };
    backward_blocks<N>(layers, dys, ctx, take, x);
  }
  /// f(row, col, block) for every block of dy W.
  void backward_blocks(const packed_a<P>& dy, context& ctx, block_function<P> f, const_view<operand> x = nothing()) const;
  /// The same for several layers that read the same x: of the sum of all dy W.
  template <std::size_t N>
  static void backward_blocks(const std::array<const linear*, N>& layers, const std::array<packed_a<P>, N>& dys, context& ctx,
                              block_function<P> f, const_view<operand> x = nothing()) {
    scratch::mark mark(ctx.memory);
    const auto each = [&](auto&& value) {
      return [&]<std::size_t... I>(std::index_sequence<I...>) { return std::array{value(*layers[I], dys[I])...}; }
      (std::make_index_sequence<N>());
    };
    const auto updates =
        each([&](const linear& l, const packed_a<P>& dy) { return l.lora ? l.lora->project_back(dy, ctx) : view<real>(nullptr, 0, 0); });
    const auto mixed = each(
        [&](const linear& l, const packed_a<P>& dy) { return l.mix ? l.mix->project_back(dy, x, l.weight, l.bias, ctx) : mix_terms(); });
    const auto factors = each([&](const linear& l, const packed_a<P>&) { return l.factor(transpose::no, ctx); });
    summed_product<P>(dys, factors, ctx, [&](index row, index col, view<real> block) {
      for (std::size_t i = 0; i < N; ++i) {
        if (layers[i]->lora) layers[i]->lora->add_backward(updates[i], block, row, col, ctx);
        if (layers[i]->mix) layers[i]->mix->add_backward(mixed[i], block, row, col, ctx);
      }
      f(row, col, block);
    });
  }

  /// Whether a gradient needs x.
  bool needs_input() const;
  /// Whether it takes part in the gradient of weights that are visited elsewhere.
  bool trains_elsewhere() const { return mix && mix->weights->v.is_trained(); }

  template <class F>
  void for_each_parameter(F&& f) {
    f(weight);
    if (biased_) f(bias);
    if (lora) lora->for_each_parameter(f);
    if (dora) dora->for_each_parameter(f);
    if (gate) gate->for_each_parameter(f);
    if (mix) mix->for_each_parameter(f);
  }

  parameter<real> weight;  // (out, in), y = x W^T + b; and the update beside it, and what scales that, or else y; or a mix
  parameter<real> bias;
  std::optional<low_rank<P>> lora;
  std::optional<graft::dora<P>> dora;  // of a frozen weight; in lora's place
  std::optional<sequence_gate<P>> gate;
  std::optional<projection_mix<P>> mix;

 private:
  bool biased_;  // if not, b is zero, and nobody sees it
  bool multiplies_in_int8() const { return !dora && !(mix && !mix->scales.empty()) && int8_form(weight); }
  using mix_terms = typename projection_mix<P>::terms;
  static const_view<operand> nothing() { return {nullptr, 0, 0}; }
  packed_b<P> factor(transpose op, context& ctx) const {
    if (dora) return dora->factor(weight, op, ctx);
    return mix ? mix->factor(weight, op, ctx) : weight_factor<P>(weight, op, ctx);
  }
};

static_assert(layer<linear<f64>> && layer<linear<f32>> && layer<linear<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/linear-inl.hpp"  // IWYU pragma: export
#endif
