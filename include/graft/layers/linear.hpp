#pragma once
// The fully connected layer.

#include <cstddef>
#include <initializer_list>
#include <new>
#include <optional>
#include <span>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/gemm/gemm.hpp"
#include "graft/gemm/int8_product.hpp"
#include "graft/layers/dora.hpp"
#include "graft/layers/low_rank.hpp"
#include "graft/layers/projection_mix.hpp"
#include "graft/layers/sequence_gate.hpp"
#include "graft/ops/column_sum.hpp"
#include "graft/ops/epilogues.hpp"

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

  /// y, every block of which goes through EPILOGUES (ops/epilogues.hpp) while it is in cache. x is kept as forward keeps it.
  template <class... E>
  void product(const_view<real> x, saved* s, context& ctx, const E&... epilogues) const {
    if (s != nullptr && needs_input()) convert_rows(x, s->x.resize(x.rows(), x.cols()), ctx.threads);
    products({this}, x, ctx, epilogues...);
  }
  /// The same of an x that another product stored for this one, and as saved_input(s).
  template <class... E>
  void product(const packed_a<P>& x, context& ctx, const E&... epilogues) const {
    products({this}, x, ctx, epilogues...);
  }
  /// The y of several layers that read the same x, side by side: one product as wide as all of them. x is a matrix, or stored as above.
  template <class X, class... E>
  static void products(std::initializer_list<const linear*> layers, const X& x, context& ctx, const E&... epilogues) {
    scratch::mark mark(ctx.memory);
    std::optional<int8_rows> rounded;
    std::optional<packed_a<P>> factor;
    bool in_int8 = true, reads_factor = false;
    for (const linear* l : layers) {
      in_int8 = in_int8 && l->multiplies_in_int8();
      reads_factor = reads_factor || l->lora || l->gate || l->mix;
    }
    if (in_int8) rounded = int8_rows::of(x, ctx);
    if (!in_int8 || reads_factor) factor.emplace(as_factor<P>(x, ctx));
    forward_blocks(layers, factor ? &*factor : nullptr, rounded ? &*rounded : nullptr, ctx, in_order<P>(epilogues...));
  }
  /// For an x, or a dy, of ROWS, as another product may store it for this one.
  packed_a<P> input(index rows, context& ctx) const { return packed_a<P>::take(rows, in(), ctx); }
  packed_a<P> output_gradient(index rows, context& ctx) const { return packed_a<P>::take(rows, out(), ctx); }
  /// Where x is kept for backward; no rows: backward needs none, or s is null.
  view<operand> saved_input(saved* s, index rows) const {
    return s != nullptr && needs_input() ? s->x.resize(rows, in()) : view<operand>(nullptr, 0, 0);
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
  template <class S>
  void accumulate_gradients(const const_view<S>& dy, const saved& s, context& ctx) {
    accumulate_gradients(dy, s.x.get(), ctx);
  }
  /// dx = dy W, every block of which goes through EPILOGUES. DY is a matrix, or stored for this product; X as above, which gates of a mix
  /// may read.
  template <class Dy, class... E>
  void product_back(const Dy& dy, const saved& s, context& ctx, const E&... epilogues) const {
    scratch::mark mark(ctx.memory);
    const packed_a<P> factor = as_factor<P>(dy, ctx);
    backward_blocks({this}, {&factor, 1}, s.x, ctx, in_order<P>(epilogues...));
  }
  /// The same for several layers that read the same x: the sum of all dy W.
  template <class S, class... E>
  static void products_back(std::initializer_list<const linear*> layers, std::initializer_list<const_view<S>> dys, const_view<operand> x,
                            context& ctx, const E&... epilogues) {
    scratch::mark mark(ctx.memory);
    const auto factors = ctx.memory.take_array<packed_a<P>>(dys.size());
    for (std::size_t i = 0; i < dys.size(); ++i) new (&factors[i]) packed_a<P>(as_factor<P>(dys.begin()[i], ctx));
    backward_blocks(layers, factors, x, ctx, in_order<P>(epilogues...));
  }

  /// Whether a gradient needs x.
  bool needs_input() const;
  /// Whether it multiplies what it reads in 8 bits.
  bool multiplies_in_int8() const { return !dora && !(mix && !mix->scales.empty()) && int8_form(weight); }
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
  /// What a layer adds beside x W^T, or dy W.
  struct terms {
    index first;  // column of the product where this layer's begin
    const_view<real> bias;
    view<real> update, gate;  // of lora, and of gate
    typename projection_mix<P>::terms mixed;
  };
  /// X may be null where all LAYERS multiply ROUNDED, which is x, too, and nothing stands beside them.
  static void forward_blocks(std::initializer_list<const linear*> layers, const packed_a<P>* x, const int8_rows* rounded, context& ctx,
                             block_function<P> f);
  static void backward_blocks(std::initializer_list<const linear*> layers, std::span<const packed_a<P>> dys, const_view<operand> x,
                              context& ctx, block_function<P> f);
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
