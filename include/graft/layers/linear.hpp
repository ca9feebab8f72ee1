#pragma once
// The fully connected layer.

#include <initializer_list>
#include <optional>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/gemm/gemm.hpp"
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
  linear(const std::string& prefix, index in, index out, parameter_role role = parameter_role::weight, bool biased = true)
      : weight(parameter<real>::factor(prefix + ".weight", role, out, in)),
        bias(parameter<real>::vector(prefix + ".bias", parameter_role::bias, out)),
        biased_(biased) {}

  /// PREFIX
  std::string name() const { return weight.name.substr(0, weight.name.size() - std::string(".weight").size()); }
  index in() const { return weight.cols(); }
  index out() const { return weight.rows(); }

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const { product(x, s, ctx, ops::store{y}); }
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
    accumulate_gradients(dy, s, ctx);
    if (dx != nullptr) product_back(dy, s, ctx, ops::store{*dx});
  }

  /// y, every block of which goes through EPILOGUES (ops/epilogues.hpp) while it is in cache. x is kept as forward keeps it.
  template <class... E>
  void product(const_view<real> x, saved* s, context& ctx, const E&... epilogues) const {
    if (s != nullptr && needs_input()) convert_rows(x, s->x.resize(x.rows(), x.cols()), ctx.threads);
    products({this}, x, ctx, epilogues...);
  }
  /// The same of an x that is kept already, or was stored by another product in a product_input and as saved_input(s).
  template <class... E>
  void product(const product_input<P>& x, context& ctx, const E&... epilogues) const {
    products({this}, x, ctx, epilogues...);
  }
  /// The y of several layers that read the same x, side by side: one product as wide as all of them.
  template <class... E>
  static void products(std::initializer_list<const linear*> layers, const product_input<P>& x, context& ctx, const E&... epilogues) {
    scratch::mark mark(ctx.memory);
    forward_blocks(layers, x, ctx, in_order<P>(epilogues...));
  }
  /// Where x is kept for backward; no rows: backward needs none, or s is null.
  view<operand> saved_input(saved* s, index rows) const {
    return s != nullptr && needs_input() ? s->x.resize(rows, in()) : view<operand>(nullptr, 0, 0);
  }

  /// Memory for an x of ROWS that is no product's: where it is kept for backward, or else scratch memory.
  view<operand> input_rows(saved* s, index rows, context& ctx) const {
    return saved_or_scratch(s != nullptr && needs_input() ? &s->x : nullptr, rows, in(), ctx);
  }

  /// The parts of backward. X is what `forward` read; DY and X may be kept in P's operand type.
  template <class S, class X>
  void accumulate_gradients(const const_view<S>& dy, const const_view<X>& x, context& ctx) {
    if (mix || lora || dora) accumulate_updates(dy, x, ctx);
    if (mix && !mix->scales.empty()) return;  // which change what W's gradient is, and b's
    add_weight_gradient<P>(weight, dy, x, ctx);
    if (bias.is_trained()) ops::add_column_sum<real, S>(dy, gradient_of(bias, ctx), ctx);
  }
  template <class S>
  void accumulate_gradients(const const_view<S>& dy, const saved& s, context& ctx) {
    accumulate_gradients(dy, s.x.get(), ctx);
  }
  /// dx = dy W, every block of which goes through EPILOGUES. Gates of a mix may read x.
  template <class... E>
  void product_back(const product_input<P>& dy, const saved& s, context& ctx, const E&... epilogues) const {
    products_back({this}, {dy}, s.x, ctx, epilogues...);
  }
  /// The same for several layers that read the same x: the sum of all dy W.
  template <class... E>
  static void products_back(std::initializer_list<const linear*> layers, std::initializer_list<product_input<P>> dys, const_view<operand> x,
                            context& ctx, const E&... epilogues) {
    scratch::mark mark(ctx.memory);
    backward_blocks(layers, dys, x, ctx, in_order<P>(epilogues...));
  }

  /// Whether a gradient needs x.
  bool needs_input() const {
    return weight.is_trained() || (lora && is_trainable(*lora)) || (dora && is_trainable(*dora)) || (mix && mix->needs_input());
  }
  /// Whether it multiplies what it reads in 8 bits.
  bool multiplies_in_int8() const { return !dora && !(mix && !mix->scales.empty()) && int8_form(weight); }
  /// Whether it takes part in the gradient of weights that are visited elsewhere.
  bool trains_elsewhere() const { return mix && mix->weights->v.is_trained(); }

  void for_each_parameter(parameter_visitor<real> f) {
    f(weight);
    if (biased_) f(bias);
    if (lora) lora->for_each_parameter(f);
    if (dora) dora->for_each_parameter(f);
    if (gate) gate->for_each_parameter(f);
    if (mix) mix->for_each_parameter(f);
  }

  parameter<real> weight;                // (out, in), y = x W^T + b
  parameter<real> bias;                  // b
  std::optional<low_rank<P>> lora;       // the update beside W
  std::optional<graft::dora<P>> dora;    // of a frozen weight; in lora's place
  std::optional<sequence_gate<P>> gate;  // what scales that update, or else y
  std::optional<projection_mix<P>> mix;  // updates and scales of several adapters, in place of these

 private:
  bool biased_;  // if not, b is zero, and nobody sees it
  /// What a layer adds beside x W^T, or dy W: of lora and of gate, and of the mix.
  struct terms {
    index first;  // column of the product where this layer's begin
    view<real> update, gate;
    typename projection_mix<P>::terms mixed;
  };
  static void forward_blocks(std::initializer_list<const linear*> layers, const product_input<P>& x, context& ctx, block_function<P> f);
  static void backward_blocks(std::initializer_list<const linear*> layers, std::initializer_list<product_input<P>> dys,
                              const_view<operand> x, context& ctx, block_function<P> f);
  /// The gradients of what is beside W.
  void accumulate_updates(const product_input<P>& dy, const product_input<P>& x, context& ctx);
  /// W, or what stands in its place.
  product_weight<P> factor(transpose op, context& ctx) const {
    if (dora) return dora->factor(weight, op, ctx);
    return mix ? mix->factor(weight, op, ctx) : product_weight<P>(weight, op);
  }
};

static_assert(layer<linear<f64>> && layer<linear<f32>> && layer<linear<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/linear-inl.hpp"  // IWYU pragma: export
#endif
