#pragma once
// Bodies of graft/train/batch_gradient.hpp.

#include <algorithm>

#include "graft/core/compiled.hpp"
#include "graft/losses/losses.hpp"
#include "graft/train/batch_gradient.hpp"

namespace graft {

template <class M>
auto batch_gradient<M>::add(M& model, const batch& b, task_kind kind, real scale, index tokens, context& ctx) -> result {
  const bool regression = kind == task_kind::regression;
  const index parts = tokens > 0 ? std::max<index>(1, (b.rows() + tokens - 1) / tokens) : 1;
  result sum;
  index first = 0;
  for (index part = 1; part <= parts; ++part) {
    index last = part == parts ? b.size() : first;
    while (last < b.size() && b.offsets[static_cast<std::size_t>(last)] * parts < b.rows() * part) ++last;
    if (last == first) continue;
    const batch& own = parts == 1 ? b : part_.assign(b, first, last);
    ctx.tokens_before = b.offsets[static_cast<std::size_t>(first)];
    ctx.sequences_before = first;
    const double share = static_cast<double>(own.size()) / static_cast<double>(b.size());
    logits_.resize(own.size(), model.head.classes());
    dlogits_.resize(own.size(), model.head.classes());
    model.forward(own, logits_, &trace_, ctx);
    view<real> d = dlogits_;
    const real own_scale = scale * static_cast<real>(share);
    const double loss = regression ? mean_squared_error<real>(logits_, own.targets, &d, own_scale)
                                   : cross_entropy<real>(logits_, own.labels, &d, own_scale);
    model.backward(dlogits_, own, trace_, ctx);
    sum.loss += share * loss;
    if (!regression) sum.entropy += share * prediction_entropy<real>(logits_);
    first = last;
  }
  ctx.tokens_before = ctx.sequences_before = 0;
  return sum;
}

}  // namespace graft
