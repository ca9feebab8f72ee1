#pragma once
// How the losses of classes weigh rows and labels.

#include <vector>

namespace graft {

/// As the arguments of torch.nn.CrossEntropyLoss and BCEWithLogitsLoss; the formulas are those of losses/losses.hpp.
struct loss_options {
  std::vector<double> class_weights{};  // of each label, in id order: `weight`; of several labels at once `pos_weight`. Empty: all 1
  double label_smoothing = 0;           // of one label

  bool plain() const { return class_weights.empty() && label_smoothing == 0; }
};

}  // namespace graft
