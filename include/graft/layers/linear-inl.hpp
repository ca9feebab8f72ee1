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
  scratch::mark mark(ctx.memory);
  save_input(x, s, ctx);
  forward_blocks(pack(x, ctx), ctx, [&](index row, index col, const auto& block) { ops::write_block(block, y, row, col); });
}

template <class P>
void linear<P>::backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  accumulate_gradients(dy, s.x.get(), ctx);
  if (dx == nullptr) return;
  scratch::mark mark(ctx.memory);
  input_gradient(packed_a<P>::pack(transpose::no, dy, ctx), real(0), *dx, ctx, s.x.get());
}

template <class P>
void linear<P>::save_input(const_view<real> x, saved* s, context& ctx) const {
  if (s != nullptr && needs_input()) convert_rows(x, s->x.resize(x.rows(), x.cols()), ctx.threads);
}

template <class P>
packed_a<P> linear<P>::pack(const_view<real> x, context& ctx) const {
  check_shape(x.cols() == in(), weight.name, "x", x,
              [&] { return "weight " + shape_text(weight.shape()) + " needs " + std::to_string(in()) + " columns"; });
  return packed_a<P>::pack(transpose::no, x, ctx);
}

template <class P>
void linear<P>::forward_blocks(const packed_a<P>& x, context& ctx, block_function<P> f) const {
  const linear* self = this;
  forward_blocks<1>({self}, x, ctx, [&](index, index row, index col, view<real> block) { f(row, col, block); });
}

template <class P>
void linear<P>::input_gradient(const_view<real> dy, real beta, view<real> dx, context& ctx) const {
  scratch::mark mark(ctx.memory);
  input_gradient(packed_a<P>::pack(transpose::no, dy, ctx), beta, dx, ctx);
}

template <class P>
void linear<P>::input_gradient(const packed_a<P>& dy, real beta, view<real> dx, context& ctx, const_view<operand> x) const {
  input_gradient<1>({this}, {dy}, beta, dx, ctx, x);
}

template <class P>
void linear<P>::backward_blocks(const packed_a<P>& dy, context& ctx, block_function<P> f, const_view<operand> x) const {
  backward_blocks<1>({this}, {dy}, ctx, f, x);
}

template <class P>
bool linear<P>::needs_input() const {
  return weight.is_trained() || (lora && is_trainable(*lora)) || (dora && is_trainable(*dora)) || (mix && mix->needs_input());
}

}  // namespace graft
