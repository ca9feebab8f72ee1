#pragma once
// The loss of a batch and its gradients, a part of the batch at a time.

#include "graft/core/context.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/tasks.hpp"

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
  result add(M& model, const batch& b, task_kind kind, real scale, index tokens, context& ctx);

 private:
  typename M::trace trace_;
  batch part_;
  matrix<real> logits_, dlogits_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/batch_gradient-inl.hpp"  // IWYU pragma: export
#endif
