#pragma once
// Bodies of graft/heads/sequence_classification.hpp.

#include "graft/core/compiled.hpp"
#include "graft/heads/sequence_classification.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

template <class P>
sequence_classification<P>::sequence_classification(const encoder_config& c, index classes, std::uint64_t dropout_stream)
    : dense(has_pooler(c) ? "bert.pooler.dense" : "classifier.dense", c.hidden_size, c.hidden_size),
      out_proj(has_pooler(c) ? "classifier" : "classifier.out_proj", c.hidden_size, classes),
      pretrained_dense_(has_pooler(c)),
      first_dropout_(has_pooler(c) ? 0 : c.classifier_dropout.value_or(c.hidden_dropout_prob)),
      dropout_(c.classifier_dropout.value_or(c.hidden_dropout_prob)),
      dropout_stream_(dropout_stream) {}

template <class P>
void sequence_classification<P>::forward(const_view<real> h, view<real> logits, saved* s, context& ctx) const {
  scratch::mark mark(ctx.memory);
  view<real> dropped = ctx.memory.take<real>(h.rows(), h.cols());
  ops::dropout<real>(h, dropped, first_dropout_, dropout_stream_, rows_of::sequences, ctx);
  view<real> t = ctx.memory.take<real>(h.rows(), h.cols());
  dense.forward(dropped, t, s != nullptr ? &s->dense : nullptr, ctx);
  t.array() = t.array().tanh();
  if (s != nullptr) s->t.assign(t);
  ops::dropout<real>(t, dropout_, dropout_stream_ + 1, rows_of::sequences, ctx);
  out_proj.forward(t, logits, s != nullptr ? &s->out_proj : nullptr, ctx);
}

template <class P>
void sequence_classification<P>::backward(const_view<real> dlogits, const saved& s, view<real>* dh, context& ctx) {
  scratch::mark mark(ctx.memory);
  const const_view<real> t = s.t;
  view<real> d = ctx.memory.take<real>(t.rows(), t.cols());
  out_proj.backward(dlogits, s.out_proj, &d, ctx);
  ops::dropout<real>(d, dropout_, dropout_stream_ + 1, rows_of::sequences, ctx);
  d.array() *= real(1) - t.array().square();
  dense.accumulate_gradients(const_view<real>(d), s.dense.x.get(), ctx);
  if (dh == nullptr) return;
  dense.input_gradient(d, real(0), *dh, ctx);
  ops::dropout<real>(*dh, first_dropout_, dropout_stream_, rows_of::sequences, ctx);
}

template <class P>
bool sequence_classification<P>::has_pooler(const encoder_config& c) {
  return c.model_type == "bert";
}

}  // namespace graft
