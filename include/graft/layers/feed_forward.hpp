#pragma once
// The position-wise feed-forward sub-layer.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/gelu.hpp"

namespace graft {

/// h = drop(gelu(z) W_2^T + b_2),   z = x W_1^T + b_1
/// Backward:  dz = (dh W_2) gelu'(z);   dx = dz W_1 + beta dx
/// @param  x  (N, H) rows are tokens            @param[out] h  (N, H)            W_1 (F, H), W_2 (H, F)
/// Saved: z (N, F); x and gelu(z) only when the weights that read them are trained.
/// Source: Vaswani et al. 2017, eq. 2, with GELU; transformers' RobertaIntermediate and RobertaOutput.dense.
/// Tested: tests/layers/feed_forward_test.cpp
template <class P>
class feed_forward {
 public:
  using real = typename P::real;
  struct options {
    index hidden_size;
    index intermediate_size;
    double hidden_dropout = 0;
    std::uint64_t place = 0;
  };
  struct saved {
    typename linear<P>::saved intermediate;
    buffer<real> z;
    typename linear<P>::saved output;
  };

  /// Parameters PREFIX.intermediate.dense.* and PREFIX.output.dense.*
  feed_forward(const std::string& prefix, const options& o)
      : intermediate(prefix + ".intermediate.dense", o.hidden_size, o.intermediate_size),
        output(prefix + ".output.dense", o.intermediate_size, o.hidden_size),
        options_(o) {}

  void forward(const_view<real> x, view<real> h, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    view<real> activated = ctx.memory.take<real>(x.rows(), options_.intermediate_size);
    view<real> z = s != nullptr ? s->z.resize(x.rows(), options_.intermediate_size) : activated;
    intermediate.forward(x, z, s != nullptr ? &s->intermediate : nullptr, ctx);
    ops::gelu_forward<real>(z, activated, ctx);
    output.forward(activated, h, s != nullptr ? &s->output : nullptr, ctx);
    ops::dropout<real>(h, options_.hidden_dropout, options_.place, ctx);
  }
  void backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta = real(0)) {
    scratch::mark mark(ctx.memory);
    view<real> dprojected = ctx.memory.take<real>(dh.rows(), options_.hidden_size);
    dprojected = dh;
    ops::dropout<real>(dprojected, options_.hidden_dropout, options_.place, ctx);
    const bool deeper = dx != nullptr || is_trainable(intermediate);
    view<real> dz = ctx.memory.take<real>(dh.rows(), options_.intermediate_size);
    output.backward(dprojected, s.output, deeper ? &dz : nullptr, ctx);
    if (!deeper) return;
    ops::gelu_backward<real>(dz, s.z, dz, ctx);
    intermediate.accumulate_gradients(dz, s.intermediate.x, ctx);
    if (dx != nullptr) intermediate.input_gradient(dz, beta, *dx, ctx);
  }

  template <class F>
  void for_each_parameter(F&& f) {
    intermediate.for_each_parameter(f);
    output.for_each_parameter(f);
  }

  linear<P> intermediate, output;

 private:
  options options_;
};

static_assert(layer<feed_forward<f64>> && layer<feed_forward<f32>>);

}  // namespace graft
