#pragma once
// What stands behind the embeddings: an invertible adapter, or what several in a mix change, each with its weight.

#include <algorithm>
#include <vector>

#include "graft/layers/coupling.hpp"
#include "graft/layers/mixing_weights.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft {

/// y = x + sum_k w_k (e_k(x) - x),   e_k being member k's coupling; every other member leaves x as it is: where all w of the mix sum to
/// one, y = sum of w times what each member alone would give here. Without weights y = e_0(x), or x where member 0 has none: of one
/// adapter, and of a fusion, as in AdapterHub's library. Backward:  dw_k = <dy, e_k(x) - x>;   w_k dy goes through e_k
/// @param  x  (N, H) rows are tokens            @param[out] y  (N, H), x's memory or another
/// Saved: what the couplings save; with weights, e_k(x) - x (N, H).   Tested: tests/model/gradient_test.cpp, tests/model/mix_test.cpp
template <class P>
class coupling_mix : public mixed_parts<P, coupling<P>> {
 public:
  using real = typename P::real;
  using parts = mixed_parts<P, coupling<P>>;
  using parts::parts, parts::members, parts::weights;
  struct saved {
    struct one {
      typename coupling<P>::saved inner;
      buffer<real> change;
    };
    std::vector<one> with;
  };

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const {
    if (s != nullptr) s->with.resize(members.size());
    if (weights == nullptr) {
      if (const auto first = std::ranges::find(members, index{0}, &parts::member::number); first != members.end()) {
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
  /// DX may be DY's memory.
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
    if (weights == nullptr) {
      if (const auto first = std::ranges::find(members, index{0}, &parts::member::number); first != members.end()) {
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
};

static_assert(layer<coupling_mix<f64>> && layer<coupling_mix<f32>> && layer<coupling_mix<bf16>>);

}  // namespace graft
