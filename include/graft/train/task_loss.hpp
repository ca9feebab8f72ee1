#pragma once
// The loss that a task is trained by.

#include "graft/data/batch.hpp"
#include "graft/data/tasks.hpp"
#include "graft/losses/losses.hpp"

namespace graft {

/// Mean over B's sequences, or its words: cross entropy of classes, squared error of a number, binary cross entropy of several labels at
/// once. The rest as in losses/losses.hpp.
template <class T>
double task_loss(task_kind kind, const_view<T> logits, const batch& b, view<T>* dlogits, T scale = T(1), const loss_options& o = {}) {
  if (kind == task_kind::regression) return mean_squared_error<T>(logits, b.targets, dlogits, scale);
  if (kind == task_kind::multi_label) {
    return binary_cross_entropy<T>(logits, b.label_sets, b.set_offsets, dlogits, scale, o.class_weights);
  }
  if (!o.plain()) return weighted_cross_entropy<T>(logits, b.labels, o, dlogits, scale);
  return cross_entropy<T>(logits, b.labels, dlogits, scale);
}

/// What task_loss divides the losses of B's sequences FIRST .. LAST - 1 by, were they a batch of their own: their number, that of their
/// words, or the sum of their labels' weights.
inline double loss_weight(task_kind kind, const batch& b, index first, index last, const loss_options& o) {
  if (kind == task_kind::token_classification) {
    first = b.answer_offsets[static_cast<std::size_t>(first)];
    last = b.answer_offsets[static_cast<std::size_t>(last)];
  }
  if (kind == task_kind::regression || kind == task_kind::multi_label || o.class_weights.empty()) return static_cast<double>(last - first);
  double sum = 0;
  for (index i = first; i < last; ++i) {
    sum += o.class_weights.at(static_cast<std::size_t>(b.labels[static_cast<std::size_t>(i)]));
  }
  return sum;
}

/// Mean entropy of the answers, in nats: 0 for a number.
template <class T>
double answer_entropy(task_kind kind, const_view<T> logits) {
  if (kind == task_kind::regression) return 0;
  return kind == task_kind::multi_label ? label_entropy<T>(logits) : prediction_entropy<T>(logits);
}

}  // namespace graft
