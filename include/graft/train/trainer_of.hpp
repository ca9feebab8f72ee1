#pragma once
// The training loop around a model whose type is known, for those who build one of layers.

#include <memory>

#include "graft/train/trainer.hpp"
#include "graft/train/training_steps.hpp"

namespace graft {

/// A trainer of MODEL, which must outlive it.   Tested: tests/training/trainer_test.cpp
template <class M>
class trainer_of : public trainer {
 public:
  trainer_of(M& model, const task& t, const training_options& o, const data_set& train, const data_set* validation)
      : trainer(std::make_unique<detail::training_steps_of<M>>(model, t, o), o, train, validation) {}
};

}  // namespace graft
