#pragma once
// The fully connected layer.

#include <optional>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/gemm/gemm.hpp"
#include "graft/layers/low_rank.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft {

/// y = x W^T + b, plus the low-rank update if there is one
/// Backward:  dx = dy W;   dW += dy^T x;   db += sum dy;   the update's own beside them
/// @param  x  (N, I) rows are tokens            @param[out] y  (N, O)            W (O, I), b (O)
/// Saved: x, only when W or its update is trained.   Cost: 2 N I O forward, the same for dx and for dW.   Frozen: no dW product, no
/// gradient.
/// @throws shape_error  x.cols() != I
/// Source: torch.nn.Linear.   Tested: tests/layers/linear_test.cpp
template <class P>
class linear {
 public:
  using real = typename P::real;
  struct saved {
    buffer<real> x;
  };

  /// Parameters PREFIX.weight and PREFIX.bias, zero. ROLE is the weight's.
  linear(const std::string& prefix, index in, index out, parameter_role role = parameter_role::weight)
      : weight(parameter<real>::table(prefix + ".weight", role, out, in)),
        bias(parameter<real>::vector(prefix + ".bias", parameter_role::bias, out)) {}

  index in() const { return weight.value.cols(); }
  index out() const { return weight.value.rows(); }

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const {
    check_shape(x.cols() == in(), weight.name, "x", x,
                [&] { return "weight " + shape_text_of(weight.value) + " needs " + std::to_string(in()) + " columns"; });
    if (s != nullptr && reads_input()) s->x.assign(x);
    multiply<P>(as::is, x, as::transposed, const_view<real>(weight.value), real(0), y, ctx);
    parallel_for(y.rows(), 64, ctx.threads, [&](index begin, index end) {
      for (index r = begin; r < end; ++r) y.row(r) += bias.value;
    });
    if (update) update->add_forward(x, y, ctx);
  }
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
    accumulate_gradients(dy, s.x, ctx);
    if (dx != nullptr) input_gradient(dy, real(0), *dx, ctx);
  }

  /// The two halves of backward, for callers that keep x themselves or add several input gradients up: dx = dy W + beta dx.
  void accumulate_gradients(const_view<real> dy, const_view<real> x, context& ctx) {
    if (weight.trainable) {
      ++ctx.counters.weight_gradient_products;
      multiply<P>(as::transposed, dy, as::is, x, real(1), view<real>(weight.gradient()), ctx);
    }
    if (bias.trainable) ops::add_column_sum<real>(dy, view<real>(bias.gradient()), ctx);
    if (update) update->accumulate_gradients(dy, x, ctx);
  }
  void input_gradient(const_view<real> dy, real beta, view<real> dx, context& ctx) const {
    multiply<P>(as::is, dy, as::is, const_view<real>(weight.value), beta, dx, ctx);
    if (update) update->add_input_gradient(dy, dx, ctx);
  }

  /// Whether a gradient needs x.
  bool reads_input() const { return weight.trainable || (update && is_trainable(*update)); }

  template <class F>
  void for_each_parameter(F&& f) {
    f(weight);
    f(bias);
    if (update) update->for_each_parameter(f);
  }

  parameter<real> weight;
  parameter<real> bias;
  std::optional<low_rank<P>> update;
};

static_assert(layer<linear<f64>> && layer<linear<f32>>);

}  // namespace graft
