#pragma once
// Bodies of graft/adapters/bottleneck.hpp.

#include "graft/adapters/bottleneck.hpp"
#include "graft/core/compiled.hpp"

namespace graft {

template <class P>
bottleneck<P>::bottleneck(const std::string& prefix, index hidden_size, index size, activation act, double scaling)
    : down_project(prefix + ".down_project", hidden_size, size, parameter_role::adapter),
      up_project(prefix + ".up_project", size, hidden_size, parameter_role::adapter),
      activation_(act),
      scaling_(static_cast<real>(scaling)) {}

template <class P>
void bottleneck<P>::forward(const_view<real> h, view<real> y, saved* s, context& ctx) const {
  update(h, s, ctx, ops::add{h}, ops::store{y});
}

template <class P>
void bottleneck<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, context& ctx) {
  update_backward(dy, s, real(1), dh, ctx);
}

template <class P>
void bottleneck<P>::update_blocks(const_view<real> h, saved* s, context& ctx, block_function<P> f) const {
  scratch::mark mark(ctx.memory);
  view<operand> z = s != nullptr ? s->z.resize(h.rows(), size()) : view<operand>(nullptr, 0, 0);
  const auto t = product_input<P>::take(h.rows(), up_project.in(), ctx);
  down_project.product(h, part_of(s, &saved::down), ctx, ops::store{z}, ops::activate{activation_},
                       ops::store{up_project.saved_input(part_of(s, &saved::up), h.rows())}, ops::store{t});
  const ops::matrix_dropout<real> mask(dropout, h.cols(), ctx);
  up_project.product(t, ctx, ops::scale<real>{scaling_}, mask, f);
}

template <class P>
void bottleneck<P>::update_backward(const_view<real> dy, const saved& s, real skip, view<real>* dh, context& ctx) {
  scratch::mark mark(ctx.memory);
  const bool trains = is_trainable(down_project);
  const ops::matrix_dropout<real> mask(dropout, dy.cols(), ctx);
  const bool as_it_is = scaling_ == real(1) && !mask.active();
  view<real> scaled = ctx.memory.take<real>(as_it_is ? 0 : dy.rows(), dy.cols());
  scaled = scaling_ * dy.topRows(scaled.rows());
  mask(0, 0, scaled);
  const const_view<real> du = as_it_is ? dy : const_view<real>(scaled);  // of U / (m s)
  up_project.accumulate_gradients(du, s.up, ctx);
  if (dh == nullptr && !trains) return;
  const auto dz = product_input<P>::take(dy.rows(), down_project.out(), ctx);
  view<operand> dz_rows = ctx.memory.take<operand>(trains ? dy.rows() : 0, size());
  up_project.product_back(du, s.up, ctx, ops::activate_backward{activation_, s.z.get()}, ops::store{dz_rows}, ops::store{dz});
  if (trains) down_project.accumulate_gradients(const_view<operand>(dz_rows), s.down, ctx);
  if (dh != nullptr) down_project.product_back(dz, s.down, ctx, ops::add{dy, skip}, ops::store{*dh});
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class bottleneck<GRAFT_PRECISION>;
#endif

}  // namespace graft
