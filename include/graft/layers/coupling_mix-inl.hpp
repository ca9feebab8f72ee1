#pragma once
// Bodies of graft/layers/coupling_mix.hpp.

#include <algorithm>

#include "graft/layers/coupling_mix.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft {

template <class P>
void coupling_mix<P>::forward(const_view<real> x, view<real> y, saved* s, context& ctx) const {
  if (s != nullptr) s->with.resize(members.size());
  if (weights == nullptr) {
    const auto first = std::ranges::find(members, index{0}, &parts::member::number);
    if (first != members.end()) {
      first->by.forward(x, y, s != nullptr ? &s->with[0].inner : nullptr, ctx);
    } else if (x.data() != y.data()) {
      y = x;
    }
    return;
  }
  scratch::mark mark(ctx.memory);
  const view<real> w = weights->current(ctx);
  view<real> sum = ctx.memory.take<real>(x.rows(), x.cols()), change = ctx.memory.take<real>(x.rows(), x.cols());
  sum = x;
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].by.forward(x, change, s != nullptr ? &s->with[i].inner : nullptr, ctx);
    change -= x;
    if (s != nullptr) s->with[i].change.assign(change);
    sum += w(0, members[i].number) * change;
  }
  y = sum;
}

template <class P>
void coupling_mix<P>::backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  if (weights == nullptr) {
    const auto first = std::ranges::find(members, index{0}, &parts::member::number);
    if (first != members.end()) {
      first->by.backward(dy, s.with[0].inner, dx, ctx);
    } else if (dx != nullptr && dx->data() != dy.data()) {
      *dx = dy;
    }
    return;
  }
  scratch::mark mark(ctx.memory);
  const view<real> w = weights->current(ctx);
  view<real> dw = ctx.memory.take<real>(1, w.cols());
  dw.setZero();
  view<real> sum = ctx.memory.take<real>(dx != nullptr ? dy.rows() : 0, dy.cols()), d = ctx.memory.take<real>(dy.rows(), dy.cols());
  if (dx != nullptr) sum = dy;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const index k = members[i].number;
    ops::add_dot<real>(dy, s.with[i].change, dw.window(0, k, 1, 1), ctx);
    if (dx == nullptr && !is_trainable(members[i].by)) continue;
    d = w(0, k) * dy;
    if (dx != nullptr) sum -= d;
    members[i].by.backward(d, s.with[i].inner, dx != nullptr ? &d : nullptr, ctx);
    if (dx != nullptr) sum += d;
  }
  if (dx != nullptr) *dx = sum;
  weights->backward(dw, w, ctx);
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class coupling_mix<GRAFT_PRECISION>;
#endif

}  // namespace graft
