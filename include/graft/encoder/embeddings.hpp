#pragma once
// From token ids to the first hidden states.

#include <cstdint>
#include <span>
#include <string>

#include "graft/data/batch.hpp"
#include "graft/encoder/config.hpp"
#include "graft/layers/embedding.hpp"
#include "graft/layers/layer_norm.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

/// y = drop(LN(word[id] + position[p] + token_type[t]))
/// RoBERTa: p = pad id + 1, + 2, ... over the tokens that are not padding (a literal pad token keeps p = pad id).   BERT: p = 0, 1, ...
/// Backward:  through dropout and LN to the three tables, each only when trained. What stands at the pad id has no gradient: the word's
/// row, and RoBERTa's position.
/// @param  b  N packed tokens            @param[out] y  (N, H)
/// Saved: LN's xhat and r (N, H), (N, 1); the positions.
/// @throws shape_error  a sequence is longer than max_position_embeddings allows
/// Source: transformers' RobertaEmbeddings, BertEmbeddings.   Tested: tests/encoder/embeddings_test.cpp
template <class P>
class embeddings {
 public:
  using real = typename P::real;
  struct saved {
    buffer<std::int32_t> positions;
    typename layer_norm<P>::saved norm;
  };

  /// Parameters PREFIX.{word_embeddings,position_embeddings,token_type_embeddings}.weight and PREFIX.LayerNorm.*
  embeddings(const std::string& prefix, const encoder_config& c, std::uint64_t place)
      : word(prefix + ".word_embeddings", c.vocab_size, c.hidden_size),
        position(prefix + ".position_embeddings", c.max_position_embeddings, c.hidden_size),
        token_type(prefix + ".token_type_embeddings", c.type_vocab_size, c.hidden_size),
        norm(prefix + ".LayerNorm", c.hidden_size, c.layer_norm_eps),
        is_roberta_(c.model_type == "roberta"),
        pad_(c.pad_token_id),
        dropout_(c.hidden_dropout_prob),
        place_(place) {}

  void forward(const batch& b, view<real> y, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    view<std::int32_t> positions = s != nullptr ? s->positions.resize(b.rows(), 1) : ctx.memory.take<std::int32_t>(b.rows(), 1);
    number_positions(b, positions);
    y.setZero();
    word.add_forward(b.input_ids, y, ctx);
    position.add_forward(ids(positions), y, ctx);
    token_type.add_forward(b.token_type_ids, y, ctx);
    norm.forward(y, y, s != nullptr ? &s->norm : nullptr, ctx);
    ops::dropout<real>(y, dropout_, place_, rows_of::tokens, ctx);
  }
  void backward(const_view<real> dy, const batch& b, const saved& s, context& ctx) {
    scratch::mark mark(ctx.memory);
    view<real> d = ctx.memory.take<real>(dy.rows(), dy.cols());
    d = dy;
    ops::dropout<real>(d, dropout_, place_, rows_of::tokens, ctx);
    const bool tables = is_trainable(word) || is_trainable(position) || is_trainable(token_type);
    norm.backward(d, s.norm, tables ? &d : nullptr, ctx);
    if (!tables) return;
    word.backward(b.input_ids, d, ctx, pad_);
    position.backward(ids(s.positions), d, ctx, is_roberta_ ? pad_ : -1);
    token_type.backward(b.token_type_ids, d, ctx);
  }

  template <class F>
  void for_each_parameter(F&& f) {
    word.for_each_parameter(f);
    position.for_each_parameter(f);
    token_type.for_each_parameter(f);
    norm.for_each_parameter(f);
  }

  embedding<P> word, position, token_type;
  layer_norm<P> norm;

 private:
  static std::span<const std::int32_t> ids(const_view<std::int32_t> column) {
    return {column.data(), static_cast<std::size_t>(column.rows())};
  }
  void number_positions(const batch& b, view<std::int32_t> positions) const {
    for (index i = 0; i < b.size(); ++i) {
      std::int32_t next = is_roberta_ ? pad_ + 1 : 0;
      for (index n = b.offsets[i]; n < b.offsets[i + 1]; ++n) {
        const bool literal_pad = is_roberta_ && b.input_ids[static_cast<std::size_t>(n)] == pad_;
        positions(n, 0) = literal_pad ? pad_ : next++;
      }
    }
  }

  bool is_roberta_;
  std::int32_t pad_;
  double dropout_;
  std::uint64_t place_;
};

static_assert(parameterized<embeddings<f64>>);

}  // namespace graft
