#pragma once
// Bodies of graft/encoder/embeddings.hpp.

#include "graft/core/compiled.hpp"
#include "graft/encoder/embeddings.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/mixed_adapters.hpp"

namespace graft {

template <class P>
embeddings<P>::embeddings(const std::string& prefix, const encoder_config& c, std::uint64_t dropout_stream)
    : word(prefix + ".word_embeddings", c.vocab_size, c.embedding_width()),
      norm(prefix + ".LayerNorm", c.embedding_width(), c.layer_norm_eps, c.norm_bias),
      after_padding_(family_of(c.model_type).positions_after_padding),
      pad_(c.pad_token_id),
      dropout_(c.hidden_dropout_prob),
      dropout_stream_(dropout_stream) {
  if (c.position_table) position.emplace(prefix + ".position_embeddings", c.max_position_embeddings, c.embedding_width());
  if (c.type_vocab_size > 0) token_type.emplace(prefix + ".token_type_embeddings", c.type_vocab_size, c.embedding_width());
  if (c.embedding_width() != c.hidden_size) project.emplace(prefix + ".project", c.embedding_width(), c.hidden_size);
}

template <class P>
void embeddings<P>::forward(const batch& b, view<real> y, saved* s, context& ctx) const {
  scratch::mark mark(ctx.memory);
  view<std::int32_t> positions = s != nullptr ? s->positions.resize(b.rows(), 1) : ctx.memory.take<std::int32_t>(b.rows(), 1);
  number_positions(b, positions);
  view<real> e = project ? ctx.memory.take<real>(b.rows(), project->in()) : y;
  e.setZero();
  word.add_forward(b.input_ids, e, ctx);
  if (position) position->add_forward(ids(positions), e, ctx);
  if (token_type) token_type->add_forward(b.token_type_ids, e, ctx);
  norm.forward(e, e, s != nullptr ? &s->norm : nullptr, ctx);
  ops::dropout<real>(e, dropout_, dropout_stream_, rows_of::tokens, ctx);
  if (project) project->forward(e, y, s != nullptr ? &s->project : nullptr, ctx);
}

template <class P>
void embeddings<P>::backward(const_view<real> dy, const batch& b, const saved& s, context& ctx) {
  scratch::mark mark(ctx.memory);
  view<real> d = ctx.memory.take<real>(dy.rows(), norm.weight.cols());
  if (project) {
    project->backward(dy, s.project, &d, ctx);
  } else {
    d = dy;
  }
  ops::dropout<real>(d, dropout_, dropout_stream_, rows_of::tokens, ctx);
  const bool tables = is_trainable(word) || (position && is_trainable(*position)) || (token_type && is_trainable(*token_type));
  norm.backward(d, s.norm, tables ? &d : nullptr, ctx);
  if (!tables) return;
  word.backward(b.input_ids, d, ctx, pad_);
  if (position) position->backward(ids(s.positions), d, ctx, after_padding_ ? pad_ : -1);
  if (token_type) token_type->backward(b.token_type_ids, d, ctx);
}

template <class P>
std::span<const std::int32_t> embeddings<P>::ids(const_view<std::int32_t> column) {
  return {column.data(), static_cast<std::size_t>(column.rows())};
}

template <class P>
void embeddings<P>::number_positions(const batch& b, view<std::int32_t> positions) const {
  for (index i = 0; i < b.size(); ++i) {
    std::int32_t next = after_padding_ ? pad_ + 1 : 0;
    for (index n = b.offsets[i]; n < b.offsets[i + 1]; ++n) {
      const bool literal_pad = after_padding_ && b.input_ids[static_cast<std::size_t>(n)] == pad_;
      positions(n, 0) = literal_pad ? pad_ : next++;
    }
  }
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class embeddings<GRAFT_PRECISION>;
#endif

}  // namespace graft
