#pragma once
// Multi-head self-attention with its output projection.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/attention_core.hpp"
#include "graft/ops/blocks.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

/// Self-attention of packed sequences:  q, k, v = x W_q^T + b_q, ...;  h = drop(attention(q, k, v) W_o^T + b_o)
/// Backward:  dcontext = dh W_o;  dq, dk, dv from ops::attention_backward;  dx = dq W_q + dk W_k + dv W_v + beta dx
/// @param  x  (N, H) rows are tokens, sequences from ctx.offsets            @param[out] h  (N, H), or (B, H): of the first tokens alone
/// Saved: q, k, v (N, 3 H); x and the context only when the weights that read them are trained.
/// Source: Vaswani et al. 2017, section 3.2.2; transformers' RobertaSelfAttention and RobertaSelfOutput.dense.
/// Tested: tests/layers/self_attention_test.cpp
template <class P>
class self_attention {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  struct options {
    index hidden_size;
    index heads;
    double attention_dropout = 0;  // of the probabilities
    double hidden_dropout = 0;     // of h
    std::uint64_t place = 0;       // this and the next are this layer's dropout places
  };
  struct saved {
    buffer<operand> x;
    buffer<operand> qkv;
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
    view<operand> qkv = s != nullptr ? s->qkv.resize(x.rows(), 3 * width) : ctx.memory.take<operand>(x.rows(), 3 * width);
    const auto part = [&](index i) { return qkv.window(0, i * width, x.rows(), width); };
    if (s != nullptr && trains_projections()) convert_rows(x, s->x.resize(x.rows(), width), ctx.threads);
    linear<P>::template forward_blocks<3>(
        {&query, &key, &value}, query.pack(x, ctx), ctx,
        [&](index which, index row, index col, const auto& block) { ops::write_block(block, qkv, row, which * width + col); });
    const bool keeps = s != nullptr && output.reads_input();
    view<operand> projected = keeps ? s->output.x.resize(h.rows(), width) : ctx.memory.take<operand>(h.rows(), width);
    const bool all = h.rows() == x.rows();
    view<operand> attended = all ? projected : ctx.memory.take<operand>(x.rows(), width);
    ops::attention_forward<P>(part(0), part(1), part(2), attended, options_.heads, options_.attention_dropout, options_.place, ctx);
    if (!all) ops::gather_first_rows<operand>(attended, projected, ctx);
    const ops::matrix_dropout<real> mask(options_.hidden_dropout, options_.place + 1, h.rows(), width, ctx);
    output.forward_blocks(left_factor<P>::pack(as::is, const_view<operand>(projected), ctx), ctx,
                          [&](index row, index col, view<real> block) {
                            mask.apply(block, row, col);
                            ops::write_block(block, h, row, col);
                          });
  }
  void backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta = real(0)) {
    const index width = options_.hidden_size;
    const const_view<operand> qkv = s.qkv;
    const index rows = qkv.rows();
    const auto part = [&](const auto& m, index i) { return m.window(0, i * width, rows, width); };
    scratch::mark mark(ctx.memory);
    view<real> dprojected = ctx.memory.take<real>(dh.rows(), width);
    ops::dropout<real>(dh, dprojected, options_.hidden_dropout, options_.place + 1, ctx);
    output.accumulate_gradients(const_view<real>(dprojected), s.output.x.get(), ctx);
    if (dx == nullptr && !is_trainable(query) && !is_trainable(key) && !is_trainable(value)) return;
    view<operand> dattended = ctx.memory.take<operand>(dh.rows(), width);
    output.backward_blocks(left_factor<P>::pack(as::is, const_view<real>(dprojected), ctx), ctx,
                           [&](index row, index col, const auto& block) { ops::write_block(block, dattended, row, col); });
    view<operand> dqkv = ctx.memory.take<operand>(rows, 3 * width);
    view<operand> dall = dh.rows() == rows ? dattended : ctx.memory.take<operand>(rows, width);
    if (dh.rows() != rows) ops::scatter_first_rows<operand>(dattended, dall, ctx);
    ops::attention_backward<P>(dall, part(qkv, 0), part(qkv, 1), part(qkv, 2), part(dqkv, 0), part(dqkv, 1), part(dqkv, 2), options_.heads,
                               options_.attention_dropout, options_.place, ctx);
    linear<P>* projections[] = {&query, &key, &value};
    for (index i = 0; i < 3; ++i) projections[i]->accumulate_gradients(const_view<operand>(part(dqkv, i)), s.x.get(), ctx);
    if (dx == nullptr) return;
    const auto packed = [&](index i) { return left_factor<P>::pack(as::is, const_view<operand>(part(dqkv, i)), ctx); };
    linear<P>::template input_gradient<3>({&query, &key, &value}, {packed(0), packed(1), packed(2)}, beta, *dx, ctx);
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

static_assert(layer<self_attention<f64>> && layer<self_attention<f32>> && layer<self_attention<bf16>>);

}  // namespace graft
