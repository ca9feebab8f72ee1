#pragma once
// Bodies of graft/layers/linear.hpp.

#include "graft/core/compiled.hpp"
#include "graft/layers/linear.hpp"

namespace graft {

template <class P>
linear<P>::linear(const std::string& prefix, index in, index out, parameter_role role, bool biased)
    : weight(parameter<real>::factor(prefix + ".weight", role, out, in)),
      bias(parameter<real>::vector(prefix + ".bias", parameter_role::bias, out)),
      biased_(biased) {}

template <class P>
void linear<P>::forward(const_view<real> x, view<real> y, saved* s, context& ctx) const {
  product(x, s, ctx, ops::store{y});
}

template <class P>
void linear<P>::backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  accumulate_gradients(dy, s, ctx);
  if (dx != nullptr) product_back(dy, s, ctx, ops::store{*dx});
}

template <class P>
void linear<P>::forward_blocks(std::initializer_list<const linear*> layers, const packed_a<P>* x, const int8_rows* rounded, context& ctx,
                               block_function<P> f) {
  const index rows = rounded != nullptr ? rounded->rows : x->rows(), depth = rounded != nullptr ? rounded->depth : x->depth();
  const linear* const* all = layers.begin();
  const auto beside = ctx.memory.take_array<terms>(layers.size());
  const view<real> none(nullptr, 0, 0);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const linear& l = *all[i];
    check_shape(depth == l.in(), l.weight.name, "x", const_view<real>(nullptr, rows, depth),
                [&] { return "weight " + shape_text(l.weight.shape()) + " needs " + std::to_string(l.in()) + " columns"; });
    terms& own = *new (&beside[i]) terms{i == 0 ? 0 : beside[i - 1].first + all[i - 1]->out(),
                                         l.bias.value(),
                                         l.lora ? l.lora->project(*x, ctx) : none,
                                         l.gate ? l.gate->open(*x, ctx) : none,
                                         {}};
    if (l.gate && l.lora) ops::scale_rows{own.gate}(0, 0, own.update);
    if (l.mix) own.mixed = l.mix->project(*x, l.weight, l.bias, ctx);
  }
  const bool biased = rounded != nullptr && std::is_same_v<real, float>;  // by the product
  const auto finish = [&](index which, index row, index col, view<real> block) {
    const linear& l = *all[which];
    const terms& own = beside[static_cast<std::size_t>(which)];
    if (!biased) ops::add_row{own.bias}(row, col, block);
    if (l.lora) l.lora->term(own.update)(row, col, block);
    if (l.gate && !l.lora) ops::scale_rows{own.gate}(row, col, block);
    if (l.mix) l.mix->add_forward(own.mixed, block, row, col);
    f(row, own.first + col, block);
  };
  if (rounded != nullptr) {
    const auto factors = ctx.memory.take_array<int8_weight>(layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      auto& own = *new (&factors[i]) int8_weight(*int8_form(all[i]->weight));
      if constexpr (std::is_same_v<real, float>) own.bias = beside[i].bias.data();
    }
    int8_products<P>(*rounded, factors, ctx, finish);
  } else {
    const auto factors = ctx.memory.take_array<packed_b<P>>(layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) new (&factors[i]) packed_b<P>(all[i]->factor(transpose::yes, ctx));
    graft::products<P>(*x, factors, ctx, finish);
  }
}

template <class P>
void linear<P>::backward_blocks(std::initializer_list<const linear*> layers, std::span<const packed_a<P>> dys, const_view<operand> x,
                                context& ctx, block_function<P> f) {
  const auto beside = ctx.memory.take_array<terms>(layers.size());
  const auto factors = ctx.memory.take_array<packed_b<P>>(layers.size());
  const view<real> none(nullptr, 0, 0);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const linear& l = *layers.begin()[i];
    terms& own = *new (&beside[i]) terms{0, l.bias.value(), l.lora ? l.lora->project_back(dys[i], ctx) : none, none, {}};
    if (l.mix) own.mixed = l.mix->project_back(dys[i], x, l.weight, l.bias, ctx);
    new (&factors[i]) packed_b<P>(l.factor(transpose::no, ctx));
  }
  summed_product<P>(dys, factors, ctx, [&](index row, index col, view<real> block) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const linear& l = *layers.begin()[i];
      if (l.lora) l.lora->term_back(beside[i].update, ctx)(row, col, block);
      if (l.mix) l.mix->add_backward(beside[i].mixed, block, row, col, ctx);
    }
    f(row, col, block);
  });
}

template <class P>
bool linear<P>::needs_input() const {
  return weight.is_trained() || (lora && is_trainable(*lora)) || (dora && is_trainable(*dora)) || (mix && mix->needs_input());
}

}  // namespace graft
