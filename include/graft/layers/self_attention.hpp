#pragma once
// Multi-head self-attention with its output projection.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/attention_core.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

/// Self-attention of packed sequences:  q, k, v = x W_q^T + b_q, ...;  h = drop(attention(q, k, v) W_o^T + b_o)
/// Backward:  dcontext = dh W_o;  dq, dk, dv from ops::attention_backward;  dx = dq W_q + dk W_k + dv W_v + beta dx
/// @param  x  (N, H) rows are tokens, sequences from ctx.offsets            @param[out] h  (N, H)
/// Saved: q, k, v (N, 3 H); x and the context only when the weights that read them are trained.
/// Source: Vaswani et al. 2017, section 3.2.2; transformers' RobertaSelfAttention and RobertaSelfOutput.dense.
/// Tested: tests/layers/self_attention_test.cpp
template <class P>
class self_attention {
 public:
  using real = typename P::real;
  struct options {
    index hidden_size;
    index heads;
    double attention_dropout = 0;  // of the probabilities
    double hidden_dropout = 0;     // of h
    std::uint64_t place = 0;       // this and the next are this layer's dropout places
  };
  struct saved {
    buffer<real> x;
    buffer<real> qkv;
    typename linear<P>::saved output;
  };

  /// Parameters PREFIX.self.{query,key,value}.* and PREFIX.output.dense.*
  self_attention(const std::string& prefix, const options& o)
      : query(prefix + ".self.query", o.hidden_size, o.hidden_size),
        key(prefix + ".self.key", o.hidden_size, o.hidden_size),
        value(prefix + ".self.value", o.hidden_size, o.hidden_size),
        output(prefix + ".output.dense", o.hidden_size, o.hidden_size),
        options_(o) {}

  void forward(const_view<real> x, view<real> h, saved* s, context& ctx) const {
    const index width = options_.hidden_size;
    scratch::mark mark(ctx.memory);
    view<real> qkv = s != nullptr ? s->qkv.resize(x.rows(), 3 * width) : ctx.memory.take<real>(x.rows(), 3 * width);
    const auto part = [&](index i) { return qkv.window(0, i * width, x.rows(), width); };
    if (s != nullptr && trains_projections()) s->x.assign(x);
    query.forward(x, part(0), nullptr, ctx);
    key.forward(x, part(1), nullptr, ctx);
    value.forward(x, part(2), nullptr, ctx);
    view<real> attended = ctx.memory.take<real>(x.rows(), width);
    ops::attention_forward<real>(part(0), part(1), part(2), attended, options_.heads, options_.attention_dropout, options_.place, ctx);
    output.forward(attended, h, s != nullptr ? &s->output : nullptr, ctx);
    ops::dropout<real>(h, options_.hidden_dropout, options_.place + 1, ctx);
  }
  void backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta = real(0)) {
    const index width = options_.hidden_size;
    const const_view<real> qkv = s.qkv;
    const auto part = [&](const auto& m, index i) { return m.window(0, i * width, dh.rows(), width); };
    scratch::mark mark(ctx.memory);
    view<real> dprojected = ctx.memory.take<real>(dh.rows(), width);
    dprojected = dh;
    ops::dropout<real>(dprojected, options_.hidden_dropout, options_.place + 1, ctx);
    const bool deeper = dx != nullptr || is_trainable(query) || is_trainable(key) || is_trainable(value);
    view<real> dattended = ctx.memory.take<real>(dh.rows(), width);
    output.backward(dprojected, s.output, deeper ? &dattended : nullptr, ctx);
    if (!deeper) return;
    view<real> dqkv = ctx.memory.take<real>(dh.rows(), 3 * width);
    ops::attention_backward<real>(dattended, part(qkv, 0), part(qkv, 1), part(qkv, 2), part(dqkv, 0), part(dqkv, 1), part(dqkv, 2),
                                  options_.heads, options_.attention_dropout, options_.place, ctx);
    linear<P>* projections[] = {&query, &key, &value};
    for (index i = 0; i < 3; ++i) {
      projections[i]->accumulate_gradients(part(dqkv, i), s.x, ctx);
      if (dx != nullptr) projections[i]->input_gradient(part(dqkv, i), i == 0 ? beta : real(1), *dx, ctx);
    }
  }

  template <class F>
  void for_each_parameter(F&& f) {
    query.for_each_parameter(f);
    key.for_each_parameter(f);
    value.for_each_parameter(f);
    output.for_each_parameter(f);
  }

  linear<P> query, key, value, output;

 private:
  bool trains_projections() const { return query.reads_input() || key.reads_input() || value.reads_input(); }
  options options_;
};

static_assert(layer<self_attention<f64>> && layer<self_attention<f32>>);

}  // namespace graft
