#pragma once
// A context in training, for sequences of a test.

#include <span>

#include "graft/core/context.hpp"

namespace graft_test {

/// Of one thread, at step 0, for sequences at OFFSETS, which outlive it.
class training_context : public graft::context {
 public:
  explicit training_context(std::span<const graft::index> offsets) : sequences_(with_sequences(offsets)), step_(*this, 0) { threads = 1; }

 private:
  graft::set_for_scope<std::span<const graft::index>> sequences_;
  graft::training_step step_;
};

}  // namespace graft_test
