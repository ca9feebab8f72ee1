#pragma once
// The two training losses, each with its gradient.

#include <cmath>
#include <cstdint>
#include <span>

#include "graft/core/parameter.hpp"
#include "graft/core/types.hpp"

namespace graft {

/// Cross entropy, mean over the batch:   L = -1/B sum_b log softmax(z_b)[label_b];   dz = (softmax(z) - onehot) scale / B
/// @param  logits  (B, C)      @param labels  (B) in 0 .. C - 1      @param[out] dlogits  (B, C), skipped when null      @return L
/// @throws shape_error  a label outside 0 .. C - 1, or another number of them than rows
/// Source: torch.nn.functional.cross_entropy.   Tested: tests/losses/losses_test.cpp
template <class T>
double cross_entropy(const_view<T> logits, std::span<const std::int32_t> labels, view<T>* dlogits, T scale = T(1)) {
  check_shape(static_cast<index>(labels.size()) == logits.rows(), "cross_entropy", "logits", logits,
              [&] { return std::to_string(labels.size()) + " labels were given"; });
  double loss = 0;
  for (index b = 0; b < logits.rows(); ++b) {
    const std::int32_t label = labels[static_cast<std::size_t>(b)];
    if (label < 0 || label >= logits.cols()) {
      throw shape_error("cross_entropy: label " + std::to_string(label) + " is outside 0 .. " + std::to_string(logits.cols() - 1));
    }
    const T top = logits.row(b).maxCoeff();
    const auto shifted = logits.row(b).array() - top;
    const T sum = shifted.exp().sum();
    loss += std::log(static_cast<double>(sum)) - static_cast<double>(logits(b, label) - top);
    if (dlogits == nullptr) continue;
    dlogits->row(b).array() = shifted.exp() * (scale / (sum * T(logits.rows())));
    (*dlogits)(b, label) -= scale / T(logits.rows());
  }
  return loss / static_cast<double>(logits.rows());
}

/// Mean squared error, mean over the batch:   L = 1/B sum_b (z_b - t_b)^2;   dz = 2 (z - t) scale / B
/// @param  logits  (B, 1)      @param targets  (B)      @param[out] dlogits  (B, 1), skipped when null      @return L
/// Source: torch.nn.functional.mse_loss.   Tested: tests/losses/losses_test.cpp
template <class T>
double mean_squared_error(const_view<T> logits, std::span<const double> targets, view<T>* dlogits, T scale = T(1)) {
  check_shape(logits.cols() == 1 && static_cast<index>(targets.size()) == logits.rows(), "mean_squared_error", "logits", logits,
              [&] { return "one column and " + std::to_string(targets.size()) + " rows were needed"; });
  double loss = 0;
  for (index b = 0; b < logits.rows(); ++b) {
    const T difference = logits(b, 0) - static_cast<T>(targets[static_cast<std::size_t>(b)]);
    loss += static_cast<double>(difference) * static_cast<double>(difference);
    if (dlogits != nullptr) (*dlogits)(b, 0) = T(2) * difference * scale / T(logits.rows());
  }
  return loss / static_cast<double>(logits.rows());
}

/// Mean entropy of softmax(z) over the batch, in nats.   logits (B, C)
template <class T>
double prediction_entropy(const_view<T> logits) {
  double total = 0;
  for (index b = 0; b < logits.rows(); ++b) {
    const T top = logits.row(b).maxCoeff();
    const auto shifted = (logits.row(b).array() - top).template cast<double>();
    const double sum = shifted.exp().sum();
    total += std::log(sum) - (shifted.exp() * shifted).sum() / sum;
  }
  return total / static_cast<double>(logits.rows());
}

}  // namespace graft
