#pragma once
// The position-wise feed-forward sub-layer.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

/// h = drop(a(z) W_2^T + b_2),   z = x W_1^T + b_1,   a being GELU or a function whose derivative lies between the same bounds
/// Backward:  dz = (dh W_2) a'(z);   dx = dz W_1 + beta dx
/// @param  x  (N, H) rows are ctx.rows()            @param[out] h  (N, H)            W_1 (F, H), W_2 (H, F)
/// Gated: h = drop(drop_in(a(z_1) z_2) W_2^T + b_2),   [z_1; z_2] = z, W_1 (2 F, H): dz_1 = d z_2 a'(z_1), dz_2 = d a(z_1), d = dh W_2.
/// Any function will do there, and z (N, 2 F) is saved.
/// Saved: a'(z) (N, F); x and a(z) only when the weights that read them are trained.
/// Source: Vaswani et al. 2017, eq. 2, with GELU; transformers' RobertaIntermediate and RobertaOutput.dense. Gated: Shazeer 2020;
/// ModernBertMLP.
/// Tested: tests/layers/feed_forward_test.cpp
template <class P>
class feed_forward {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  using gelu_derivative = typename P::gelu_derivative;
  struct options {
    index hidden_size;
    index intermediate_size;
    double hidden_dropout = 0;
    std::uint64_t dropout_stream = 0;
    activation act = activation::gelu;
    bool gated = false, biased = true;
    double inner_dropout = 0;  // gated: drop_in, from the stream of drop, of which there is none then
  };
  struct saved {
    typename linear<P>::saved intermediate;
    buffer<typename P::gelu_derivative> gelu_derivative;
    typename linear<P>::saved output;
    buffer<operand> z;  // gated
  };

  /// Parameters PREFIX.intermediate.dense.* and PREFIX.output.dense.*
  feed_forward(const std::string& prefix, const options& o)
      : intermediate(prefix + ".intermediate.dense", o.hidden_size, o.gated ? 2 * o.intermediate_size : o.intermediate_size,
                     parameter_role::weight, o.biased),
        output(prefix + ".output.dense", o.intermediate_size, o.hidden_size, parameter_role::weight, o.biased),
        options_(o) {}

  void forward(const_view<real> x, view<real> h, saved* s, context& ctx) const;
  void backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta = real(0));

  void for_each_parameter(parameter_visitor<real> f) {
    intermediate.for_each_parameter(f);
    output.for_each_parameter(f);
  }

  /// As linear's.
  bool trains_elsewhere() const { return intermediate.trains_elsewhere() || output.trains_elsewhere(); }

  linear<P> intermediate, output;  // up to the inner width, and back

 private:
  void gated_forward(const_view<real> x, view<real> h, saved* s, context& ctx) const;
  void gated_backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta);
  options options_;
};

static_assert(layer<feed_forward<f64>> && layer<feed_forward<f32>> && layer<feed_forward<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/feed_forward-inl.hpp"  // IWYU pragma: export
#endif
