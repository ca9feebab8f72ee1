#pragma once
// Bodies of graft/encoder/encoder.hpp.

#include <cstring>
#include <span>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/encoder/encoder.hpp"
#include "graft/ops/blocks.hpp"

namespace graft {

template <class P, site Site>
index encoder<P, Site>::lowest_trainable() const {
  const bool below = is_trainable(embedded) || (invertible && is_trainable(*invertible)) || (relative && is_trainable(*relative));
  if (below) return -1;
  const auto depth = static_cast<index>(layers.size()) - (last_norm && is_trainable(*last_norm) ? 1 : 0);
  index l = 0;
  while (l < depth && !is_trainable(layers[static_cast<std::size_t>(l)])) ++l;
  return l;
}

template <class P, site Site>
void encoder<P, Site>::forward(const batch& b, view<real> y, saved* s, context& ctx, rows_of wanted) const {
  const index rows = wanted == rows_of::tokens ? b.rows() : b.size();
  check_shape(y.rows() == rows, "encoder", "y", y, [&] { return shape_text({rows, hidden_size_}) + " is needed"; });
  const auto offsets = ctx.with_sequences(b.offsets);
  const index depth = static_cast<index>(layers.size());
  const index first = known ? known->layers() : 0;
  const index lowest = s != nullptr ? lowest_trainable() : first;
  if (known && lowest < first) {
    throw config_error("encoder: the lowest " + std::to_string(first) + " layers are known as they were, and cannot be trained");
  }
  scratch::mark mark(ctx.memory);
  view<real> x = ctx.memory.take<real>(b.rows(), hidden_size_);
  known ? read_known(b, x, ctx) : embed(b, x, lowest < 0 ? s : nullptr, ctx);
  run_layers(first, depth, x, y, s, ctx, wanted);
  if (last_norm) last_norm->forward(y, y, s != nullptr && lowest < depth ? &s->last_norm : nullptr, ctx);
}

template <class P, site Site>
void encoder<P, Site>::embed(const batch& b, view<real> x, saved* s, context& ctx) const {
  embedded.forward(b, x, s != nullptr ? &s->embedded : nullptr, ctx);
  if (invertible) invertible->forward(x, x, s != nullptr ? &s->coupled : nullptr, ctx);
}

template <class P, site Site>
void encoder<P, Site>::run_layers(index first, index last, view<real> x, view<real> y, saved* s, context& ctx, rows_of wanted) const {
  const index lowest = s != nullptr ? lowest_trainable() : 0;
  if (s != nullptr) {
    s->wanted = wanted;
    s->layers.resize(layers.size());
  }
  const bool gathers = wanted == rows_of::sequences && (first == last || layers[static_cast<std::size_t>(last - 1)].reads_sequences());
  for (index l = first; l < last; ++l) {
    auto* layer_saved = s != nullptr && l >= lowest ? &s->layers[static_cast<std::size_t>(l)] : nullptr;
    const bool ends = l + 1 == last && !gathers;
    layers[static_cast<std::size_t>(l)].forward(x, ends ? y : x, layer_saved, ctx, ends ? wanted : rows_of::tokens, l > lowest);
  }
  if (gathers) {
    ops::gather_first_rows<real>(x, y, ctx);
  } else if (first == last && y.data() != x.data()) {
    y = x;
  }
}

template <class P, site Site>
void encoder<P, Site>::forward_below(const batch& b, index count, view<real> y, context& ctx) const {
  check_shape(y.rows() == b.rows() && y.cols() == hidden_size_, "encoder", "y", y, [&] {
    return shape_text({b.rows(), hidden_size_}) + " is needed";
  });
  const auto training = ctx.without_dropout();
  const auto offsets = ctx.with_sequences(b.offsets);
  embed(b, y, nullptr, ctx);
  run_layers(0, count, y, y, nullptr, ctx);
}

template <class P, site Site>
void encoder<P, Site>::read_known(const batch& b, view<real> y, context& ctx) const {
  batch one;
  for (index i = 0; i < b.size(); ++i) {
    const index begin = b.offsets[static_cast<std::size_t>(i)], tokens = b.offsets[static_cast<std::size_t>(i) + 1] - begin;
    const auto part = [&](const std::vector<std::int32_t>& all) {
      return std::span(all).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(tokens));
    };
    if (const std::byte* numbers = known->find(part(b.input_ids), part(b.token_type_ids))) {
      std::memcpy(y.row_data(begin), numbers, matrix_bytes(tokens, hidden_size_, sizeof(real)));
      continue;
    }
    one.clear();
    one.input_ids.assign(part(b.input_ids).begin(), part(b.input_ids).end());
    one.token_type_ids.assign(part(b.token_type_ids).begin(), part(b.token_type_ids).end());
    one.offsets.push_back(tokens);
    scratch::mark mark(ctx.memory);
    view<real> states = ctx.memory.take<real>(tokens, hidden_size_);  // begins as rows of a batch do
    forward_below(one, known->layers(), states, ctx);
    y.middleRows(begin, tokens) = states;
  }
}

template <class P, site Site>
void encoder<P, Site>::backward(const_view<real> dy, const batch& b, const saved& s, context& ctx) {
  const auto offsets = ctx.with_sequences(b.offsets);
  const index lowest = lowest_trainable();
  scratch::mark mark(ctx.memory);
  view<real> gradients[] = {ctx.memory.take<real>(b.rows(), dy.cols()), ctx.memory.take<real>(b.rows(), dy.cols())};
  const index depth = static_cast<index>(layers.size());
  view<real> behind = ctx.memory.take<real>(last_norm ? dy.rows() : 0, dy.cols());
  if (last_norm) last_norm->backward(dy, s.last_norm, &behind, ctx);
  const const_view<real> d = last_norm ? const_view<real>(behind) : dy;
  const bool gathered = lowest < depth && s.wanted == rows_of::sequences && s.layers.back().wanted == rows_of::tokens;
  if (gathered) ops::scatter_first_rows<real>(d, gradients[depth % 2], ctx);
  for (index l = depth - 1; l >= 0 && l >= lowest; --l) {
    const const_view<real> dy_l = l + 1 == depth && !gathered ? d : const_view<real>(gradients[(l + 1) % 2]);
    layers[static_cast<std::size_t>(l)].backward(dy_l, s.layers[static_cast<std::size_t>(l)], l > lowest ? &gradients[l % 2] : nullptr,
                                                 ctx);
    if (ctx.layer_done() != nullptr) (*ctx.layer_done())(l);
  }
  const bool deeper = is_trainable(embedded);
  if (lowest < 0 && invertible) invertible->backward(gradients[0], s.coupled, deeper ? &gradients[0] : nullptr, ctx);
  if (deeper) embedded.backward(gradients[0], b, s.embedded, ctx);
}

}  // namespace graft
