#pragma once
// Multi-head self-attention with its output projection.

#include <memory>
#include <optional>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/attention_prefix.hpp"
#include "graft/layers/linear.hpp"
#include "graft/layers/prefix_mix.hpp"
#include "graft/layers/relative_positions.hpp"
#include "graft/layers/rotary_positions.hpp"
#include "graft/ops/disentangled_attention.hpp"

namespace graft {

/// Self-attention of packed sequences:  q, k, v = x W_q^T + b_q, ...;  h = drop(attention(q, k, v) W_o^T + b_o)
/// Backward:  dcontext = dh W_o;  dq, dk, dv from ops::attention_backward;  dx = dq W_q + dk W_k + dv W_v + beta dx
/// @param  x  (N, H) rows are tokens, sequences from ctx.offsets()            @param[out] h  (WANTED, H): (N, H), or (B, H) of the first
/// tokens, whose queries then are the only ones
/// With a prefix, its keys and values stand in front of every sequence's own (layers/attention_prefix.hpp); or there are several in a mix
/// (layers/prefix_mix.hpp).
/// With relative positions, scores also depend on distances; what the layer makes of their vectors, W_q and W_k do (layers/
/// relative_positions.hpp, ops/disentangled_attention.hpp).
/// With rotary positions, one matrix makes all three, q and k are turned by their places (layers/rotary_positions.hpp), and a window may
/// say how far tokens see.
/// Saved: q (as many rows as h), k and v (N, 2 H), the prefix's too; x and the context only when the weights that read them are trained,
/// the context of sequences longer than 2,048 always (ops/attention_core.hpp).
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
    double attention_dropout = 0;      // of the probabilities
    double hidden_dropout = 0;         // of h
    std::uint64_t dropout_stream = 0;  // this and the next are this layer's
    bool fused = false;                // query makes keys and values, too: W (3 H, H); rotary positions are needed then
    bool biased = true;
    index window = 0;  // how far a token sees; 0 and less: everywhere
  };
  struct saved {
    rows_of wanted = rows_of::tokens;
    buffer<operand> x;
    buffer<operand> q, kv;
    ops::attention_saved<P> attention;
    typename attention_prefix<P>::saved prefix;
    typename prefix_mix<P>::saved mix;
    typename linear<P>::saved output;
  };

  /// Parameters PREFIX.self.{query,key,value}.*, or PREFIX.self.query_key_value.*, and PREFIX.output.dense.*
  self_attention(const std::string& prefix, const options& o);

  void forward(const_view<real> x, view<real> h, saved* s, context& ctx, rows_of wanted = rows_of::tokens) const;
  void backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta = real(0));

  void for_each_parameter(parameter_visitor<real> f) {
    query.for_each_parameter(f);
    if (!options_.fused) {
      key.for_each_parameter(f);
      value.for_each_parameter(f);
    }
    if (prefix) prefix->for_each_parameter(f);
    if (mix) mix->for_each_parameter(f);
    output.for_each_parameter(f);
  }

  /// As linear's.
  bool trains_elsewhere() const {
    return query.trains_elsewhere() || key.trains_elsewhere() || value.trains_elsewhere() || output.trains_elsewhere() ||
           (mix && mix->trains_elsewhere());
  }

  linear<P> query, key, value, output;                // the projections
  std::optional<attention_prefix<P>> prefix;          // keys and values in front of every sequence
  std::optional<prefix_mix<P>> mix;                   // in its place
  std::shared_ptr<relative_positions<P>> relative;    // visited by their owner, the encoder; null: none
  std::shared_ptr<const rotary_positions<P>> rotary;  // null: none

  /// F(projection) for each.
  template <class F>
  void for_each_projection(F&& f) {
    f(query);
    if (!options_.fused) {
      f(key);
      f(value);
    }
    f(output);
  }

  /// Computes what frozen parameters make once and for all; they are not to be edited any more.
  void precompute(int threads);

 private:
  /// What the tokens' distances become in one call, in scratch memory but for what is precomputed.
  struct distances {
    index first;               // row of the table
    const_view<real> vectors;  // r, dropped out; none where they are precomputed
    ops::distance_vectors<P> scores;
  };
  /// TRAINED: with gradients, which are zero.
  distances distances_of(typename layer_norm<P>::saved* s, bool trained, context& ctx) const;
  void distances_backward(const distances& d, const typename layer_norm<P>::saved& norm, context& ctx);
  ops::score_numbers<P> score_numbers(bool trained, context& ctx) const;
  bool disentangled() const { return relative && relative->options().disentangled; }
  ops::attention_options attention(rows_of wanted) const;
  static index longest_sequence(const context& ctx);
  void drop_vectors(view<real> vectors, index first, context& ctx) const;
  bool trains_distances() const { return is_trainable(query) || is_trainable(key) || is_trainable(*relative); }
  bool needs_input() const;
  /// The way back to x of what the fused projection makes: from DQ, as many rows as q, and D (N, 3 H), whose first third it is to become.
  void fused_backward(const_view<operand> dq, view<operand> d, const saved& s, view<real>* dx, real beta, context& ctx);
  options options_;
  std::shared_ptr<const buffer<operand>> precomputed_;  // keys beside queries of all rows of the table
};

static_assert(layer<self_attention<f64>> && layer<self_attention<f32>> && layer<self_attention<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/self_attention-inl.hpp"  // IWYU pragma: export
#endif
