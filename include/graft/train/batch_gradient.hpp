#pragma once
// The loss of a batch and its gradients, a part of the batch at a time.

#include <algorithm>

#include "graft/core/context.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/tasks.hpp"
#include "graft/losses/losses.hpp"

namespace graft {

/// Forward and backward over batches of any size, with the activations of a part in memory.
/// Tested: tests/training/batch_gradient_test.cpp
template <class M>
class batch_gradient {
 public:
  using real = typename M::real;
  struct result {
    double loss = 0, entropy = 0;  // means over the batch; no entropy in regression
  };

  /// grad += SCALE dL/dp for every trained parameter, L the mean loss of B. The batch goes through in the fewest parts of whole sequences
  /// that hold about TOKENS tokens each, equally large as far as that goes; 0: at once. Masks of dropout do not depend on the parts, and
  /// numbers only by the order of sums.
  result add(M& model, const batch& b, task_kind kind, real scale, index tokens, context& ctx) {
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

 private:
  typename M::trace trace_;
  batch part_;
  matrix<real> logits_, dlogits_;
};

}  // namespace graft
