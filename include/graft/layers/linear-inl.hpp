#pragma once
// Bodies of graft/layers/linear.hpp.

#include <algorithm>
#include <cstddef>
#include <new>
#include <span>

#include "graft/layers/linear.hpp"

namespace graft {

template <class P>
void linear<P>::forward_blocks(std::initializer_list<const linear*> layers, const product_input<P>& x, context& ctx, block_function<P> f) {
  const linear* const* all = layers.begin();
  const bool shared = std::any_of(layers.begin(), layers.end(), [](const linear* l) { return l->lora || l->gate || l->mix; });
  const product_input<P> rows = shared ? x.ready(ctx) : x;
  const auto added = ctx.memory.take_array<terms>(layers.size());
  const auto weights = ctx.memory.take_array<product_weight<P>>(layers.size());
  const view<real> none(nullptr, 0, 0);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const linear& l = *all[i];
    check_shape(x.depth() == l.in(), l.weight.name, "x", const_view<real>(nullptr, x.rows(), x.depth()),
                [&] { return "weight " + shape_text(l.weight.shape()) + " needs " + std::to_string(l.in()) + " columns"; });
    terms& layer_terms = *new (&added[i]) terms{i == 0 ? 0 : added[i - 1].first + all[i - 1]->out(),
                                                l.lora ? l.lora->project(rows, ctx) : none,
                                                l.gate ? l.gate->gate_values(rows, ctx) : none,
                                                {}};
    if (l.gate && l.lora) ops::scale_rows{layer_terms.gate}(0, 0, layer_terms.update);
    if (l.mix) layer_terms.mixed = l.mix->project(rows, l.weight, l.bias, ctx);
    new (&weights[i]) product_weight<P>(l.factor(transpose::yes, ctx), l.bias.value());
  }
  graft::products<P>(std::span(&rows, 1), weights, ctx, [&](index which, index row, index col, view<real>& block) {
    const linear& l = *all[which];
    const terms& layer_terms = added[static_cast<std::size_t>(which)];
    if (l.lora) l.lora->term(layer_terms.update)(row, col, block);
    if (l.gate && !l.lora) ops::scale_rows{layer_terms.gate}(row, col, block);
    if (l.mix) l.mix->add_forward(layer_terms.mixed, block, row, col);
    f(row, layer_terms.first + col, block);
  });
}

template <class P>
void linear<P>::backward_blocks(std::initializer_list<const linear*> layers, std::initializer_list<product_input<P>> dys,
                                const_view<operand> x, context& ctx, block_function<P> f) {
  const auto added = ctx.memory.take_array<terms>(layers.size());
  const auto inputs = ctx.memory.take_array<product_input<P>>(layers.size());
  const auto weights = ctx.memory.take_array<product_weight<P>>(layers.size());
  const view<real> none(nullptr, 0, 0);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const linear& l = *layers.begin()[i];
    const auto& dy = *new (&inputs[i]) product_input<P>(dys.begin()[i].ready(ctx));
    terms& layer_terms = *new (&added[i]) terms{0, l.lora ? l.lora->project_back(dy, ctx) : none, none, {}};
    if (l.mix) layer_terms.mixed = l.mix->project_back(dy, x, l.weight, l.bias, ctx);
    new (&weights[i]) product_weight<P>(l.factor(transpose::no, ctx));
  }
  graft::products<P>(inputs, weights, ctx, [&](index, index row, index col, view<real>& block) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const linear& l = *layers.begin()[i];
      if (l.lora) l.lora->term_back(added[i].update, ctx)(row, col, block);
      if (l.mix) l.mix->add_backward(added[i].mixed, block, row, col, ctx);
    }
    f(row, col, block);
  });
}

template <class P>
void linear<P>::accumulate_updates(const product_input<P>& dy, const product_input<P>& x, context& ctx) {
  dy.visit([&](const auto& of_y) {
    x.visit([&](const auto& of_x) {
      if (mix) mix->accumulate_gradients(weight, bias, of_y, of_x, ctx);
      if (lora) lora->accumulate_gradients(of_y, of_x, ctx);
      if (dora) dora->accumulate_gradients(weight, of_y, of_x, ctx);
    });
  });
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class linear<GRAFT_PRECISION>;
#endif

}  // namespace graft
