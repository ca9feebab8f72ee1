#pragma once
// Bodies of graft/model/model.hpp.

#include "graft/core/compiled.hpp"
#include "graft/model/model.hpp"

#if defined(GRAFT_PRECISION)
#include "graft/adapters/routed_site.hpp"
#include "graft/encoder/encoder-inl.hpp"
#include "graft/encoder/encoder_layer-inl.hpp"
#endif

namespace graft {

template <class P, site Site>
void classifier<P, Site>::forward(const batch& b, view<real> logits, trace* t, context& ctx) const {
  const index answering = answers(b);
  check_shape(logits.rows() == answering && logits.cols() == head.classes(), "classifier", "logits", logits, [&] {
    return shape_text({answering, head.classes()}) + " is needed";
  });
  if (answering == 0) return;
  scratch::mark mark(ctx.memory);
  view<real> states = ctx.memory.take<real>(reads_all_tokens() ? b.rows() : b.size(), config.hidden_size);
  trunk.forward(b, states, t != nullptr ? &t->trunk : nullptr, ctx, reads());
  answer(b, states, logits, t, ctx);
}

template <class P, site Site>
void classifier<P, Site>::answer(const batch& b, const_view<real> states, view<real> logits, trace* t, context& ctx) const {
  const bool all_tokens = reads_all_tokens();
  scratch::mark mark(ctx.memory);
  view<real> h = ctx.memory.take<real>(all_tokens ? logits.rows() : 0, config.hidden_size);
  for (index i = 0; i < h.rows(); ++i) {
    if (head.answers_for_words()) {
      h.row(i) = states.row(b.answering[static_cast<std::size_t>(i)]);
    } else {
      const index tokens = b.offsets[i + 1] - b.offsets[i];
      h.row(i) = states.middleRows(b.offsets[i], tokens).colwise().sum() / real(tokens);
    }
  }
  head.forward(all_tokens ? const_view<real>(h) : states, logits, t != nullptr ? &t->head : nullptr, ctx);
}

template <class P, site Site>
void classifier<P, Site>::backward(const_view<real> dlogits, const batch& b, const trace& t, context& ctx) {
  const bool deeper = trunk.lowest_trainable() < config.num_hidden_layers, all_tokens = reads_all_tokens();
  scratch::mark mark(ctx.memory);
  view<real> dh = ctx.memory.take<real>(deeper ? answers(b) : 0, config.hidden_size);
  head.backward(dlogits, t.head, deeper ? &dh : nullptr, ctx);
  if (!deeper) return;
  view<real> all = ctx.memory.take<real>(all_tokens ? b.rows() : 0, config.hidden_size);
  if (head.answers_for_words()) all.setZero();
  for (index i = 0; all_tokens && i < dh.rows(); ++i) {
    if (head.answers_for_words()) {
      all.row(b.answering[static_cast<std::size_t>(i)]) = dh.row(i);
    } else {
      const index tokens = b.offsets[i + 1] - b.offsets[i];
      all.middleRows(b.offsets[i], tokens).rowwise() = dh.row(i) / real(tokens);
    }
  }
  trunk.backward(all_tokens ? all : dh, b, t.trunk, ctx);
}

template <class P, site Site>
const encoder_config& classifier<P, Site>::checked(const encoder_config& c, index classes) {
  check_range("the number of classes", static_cast<double>(classes), ranges::classes);
  check_range("hidden_dropout_prob", c.hidden_dropout_prob, ranges::dropout);
  check_range("classifier_dropout", c.classifier_dropout.value_or(0), ranges::dropout);
  check_range("attention_probs_dropout_prob", c.attention_probs_dropout_prob, ranges::dropout);
  return c;
}

#if defined(GRAFT_PRECISION)  // graft::compiled, encoders with sites, which encoder/ does not know, too
template class encoder_layer<GRAFT_PRECISION, plain_site<GRAFT_PRECISION>>;
template class encoder_layer<GRAFT_PRECISION, adapter_site<GRAFT_PRECISION>>;
template class encoder_layer<GRAFT_PRECISION, multi_adapter_site<GRAFT_PRECISION>>;
template class encoder_layer<GRAFT_PRECISION, routed_site<GRAFT_PRECISION>>;
template class encoder<GRAFT_PRECISION, plain_site<GRAFT_PRECISION>>;
template class encoder<GRAFT_PRECISION, adapter_site<GRAFT_PRECISION>>;
template class encoder<GRAFT_PRECISION, multi_adapter_site<GRAFT_PRECISION>>;
template class encoder<GRAFT_PRECISION, routed_site<GRAFT_PRECISION>>;
template class classifier<GRAFT_PRECISION, plain_site<GRAFT_PRECISION>>;
template class classifier<GRAFT_PRECISION, adapter_site<GRAFT_PRECISION>>;
template class classifier<GRAFT_PRECISION, multi_adapter_site<GRAFT_PRECISION>>;
#endif

}  // namespace graft
