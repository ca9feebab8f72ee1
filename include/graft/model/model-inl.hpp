#pragma once
// Bodies of graft/model/model.hpp.

#include "graft/core/compiled.hpp"
#include "graft/model/model.hpp"

namespace graft {

template <class P, site Site>
void classifier<P, Site>::forward(const batch& b, view<real> logits, trace* t, context& ctx) const {
  check_shape(logits.rows() == b.size() && logits.cols() == head.classes(), "classifier", "logits", logits, [&] {
    return shape_text({b.size(), head.classes()}) + " is needed";
  });
  scratch::mark mark(ctx.memory);
  view<real> h = ctx.memory.take<real>(b.size(), config.hidden_size);  // of the first tokens: the head reads no others, or a mean
  view<real> all = ctx.memory.take<real>(config.mean_pooling ? b.rows() : 0, config.hidden_size);
  trunk.forward(b, config.mean_pooling ? all : h, t != nullptr ? &t->trunk : nullptr, ctx,
                config.mean_pooling ? rows_of::tokens : rows_of::sequences);
  for (index i = 0; config.mean_pooling && i < b.size(); ++i) {
    const index tokens = b.offsets[i + 1] - b.offsets[i];
    h.row(i) = all.middleRows(b.offsets[i], tokens).colwise().sum() / real(tokens);
  }
  head.forward(h, logits, t != nullptr ? &t->head : nullptr, ctx);
}

template <class P, site Site>
void classifier<P, Site>::backward(const_view<real> dlogits, const batch& b, const trace& t, context& ctx) {
  ctx.offsets = b.offsets;
  const bool deeper = trunk.lowest_trainable() < config.num_hidden_layers;
  scratch::mark mark(ctx.memory);
  view<real> dh = ctx.memory.take<real>(deeper ? b.size() : 0, config.hidden_size);
  head.backward(dlogits, t.head, deeper ? &dh : nullptr, ctx);
  if (!deeper) return;
  view<real> all = ctx.memory.take<real>(config.mean_pooling ? b.rows() : 0, config.hidden_size);
  for (index i = 0; config.mean_pooling && i < b.size(); ++i) {
    const index tokens = b.offsets[i + 1] - b.offsets[i];
    all.middleRows(b.offsets[i], tokens).rowwise() = dh.row(i) / real(tokens);
  }
  trunk.backward(config.mean_pooling ? all : dh, b, t.trunk, ctx);
}

template <class P, site Site>
const encoder_config& classifier<P, Site>::checked(const encoder_config& c, index classes) {
  check_range("the number of classes", static_cast<double>(classes), ranges::classes);
  check_range("hidden_dropout_prob", c.hidden_dropout_prob, ranges::dropout);
  check_range("classifier_dropout", c.classifier_dropout.value_or(0), ranges::dropout);
  check_range("attention_probs_dropout_prob", c.attention_probs_dropout_prob, ranges::dropout);
  return c;
}

}  // namespace graft
