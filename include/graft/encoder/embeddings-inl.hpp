#pragma once
// Bodies of graft/encoder/embeddings.hpp.

#include "graft/core/compiled.hpp"
#include "graft/encoder/embeddings.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/mixed_adapters.hpp"

namespace graft {

template <class P>
embeddings<P>::embeddings(const std::string& prefix, const encoder_config& c, std::uint64_t dropout_stream)
    : word(prefix + ".word_embeddings", c.vocab_size, c.hidden_size),
      position(prefix + ".position_embeddings", c.max_position_embeddings, c.hidden_size),
      token_type(prefix + ".token_type_embeddings", c.type_vocab_size, c.hidden_size),
      norm(prefix + ".LayerNorm", c.hidden_size, c.layer_norm_eps),
      is_roberta_(c.model_type == "roberta"),
      pad_(c.pad_token_id),
      dropout_(c.hidden_dropout_prob),
      dropout_stream_(dropout_stream) {}

template <class P>
void embeddings<P>::forward(const batch& b, view<real> y, saved* s, context& ctx) const {
  scratch::mark mark(ctx.memory);
  view<std::int32_t> positions = s != nullptr ? s->positions.resize(b.rows(), 1) : ctx.memory.take<std::int32_t>(b.rows(), 1);
  number_positions(b, positions);
  y.setZero();
  word.add_forward(b.input_ids, y, ctx);
  position.add_forward(ids(positions), y, ctx);
  token_type.add_forward(b.token_type_ids, y, ctx);
  norm.forward(y, y, s != nullptr ? &s->norm : nullptr, ctx);
  ops::dropout<real>(y, dropout_, dropout_stream_, rows_of::tokens, ctx);
}

template <class P>
void embeddings<P>::backward(const_view<real> dy, const batch& b, const saved& s, context& ctx) {
  scratch::mark mark(ctx.memory);
  view<real> d = ctx.memory.take<real>(dy.rows(), dy.cols());
  d = dy;
  ops::dropout<real>(d, dropout_, dropout_stream_, rows_of::tokens, ctx);
  const bool tables = is_trainable(word) || is_trainable(position) || is_trainable(token_type);
  norm.backward(d, s.norm, tables ? &d : nullptr, ctx);
  if (!tables) return;
  word.backward(b.input_ids, d, ctx, pad_);
  position.backward(ids(s.positions), d, ctx, is_roberta_ ? pad_ : -1);
  token_type.backward(b.token_type_ids, d, ctx);
}

template <class P>
std::span<const std::int32_t> embeddings<P>::ids(const_view<std::int32_t> column) {
  return {column.data(), static_cast<std::size_t>(column.rows())};
}

template <class P>
void embeddings<P>::number_positions(const batch& b, view<std::int32_t> positions) const {
  for (index i = 0; i < b.size(); ++i) {
    std::int32_t next = is_roberta_ ? pad_ + 1 : 0;
    for (index n = b.offsets[i]; n < b.offsets[i + 1]; ++n) {
      const bool literal_pad = is_roberta_ && b.input_ids[static_cast<std::size_t>(n)] == pad_;
      positions(n, 0) = literal_pad ? pad_ : next++;
    }
  }
}

}  // namespace graft
