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
  view<real> h = ctx.memory.take<real>(b.size(), config.hidden_size);  // of the first tokens: the head reads no others
  trunk.forward(b, h, t != nullptr ? &t->trunk : nullptr, ctx, rows_of::sequences);
  head.forward(h, logits, t != nullptr ? &t->head : nullptr, ctx);
}

template <class P, site Site>
void classifier<P, Site>::backward(const_view<real> dlogits, const batch& b, const trace& t, context& ctx) {
  ctx.offsets = b.offsets;
  const bool deeper = trunk.lowest_trainable() < config.num_hidden_layers;
  scratch::mark mark(ctx.memory);
  view<real> dh = ctx.memory.take<real>(deeper ? b.size() : 0, config.hidden_size);
  head.backward(dlogits, t.head, deeper ? &dh : nullptr, ctx);
  if (deeper) trunk.backward(dh, b, t.trunk, ctx);
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
