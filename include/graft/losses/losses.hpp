#pragma once
// The training losses, each with its gradient.

#include <cmath>
#include <cstdint>
#include <span>

#include "graft/core/parameter.hpp"
#include "graft/core/types.hpp"
#include "graft/losses/loss_options.hpp"

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

/// Cross entropy with class weights w and label smoothing e, mean over the batch by the weights of its labels, with D = sum_b w[label_b]:
/// L = -1/D sum_b ((1 - e) w[label_b] log softmax(z_b)[label_b] + e/C sum_c w_c log softmax(z_b)[c])
/// dz_bc = ((1 - e) w[label_b] (softmax(z_b)_c - onehot_c) + e/C (softmax(z_b)_c sum_k w_k - w_c)) scale / D
/// Parameters and errors as above.   Source: torch.nn.CrossEntropyLoss(weight, label_smoothing).   Tested: tests/losses/losses_test.cpp
template <class T>
double weighted_cross_entropy(const_view<T> logits, std::span<const std::int32_t> labels, const loss_options& o, view<T>* dlogits,
                              T scale = T(1)) {
  using row_type = Eigen::Array<double, 1, Eigen::Dynamic>;
  const index classes = logits.cols();
  check_shape(static_cast<index>(labels.size()) == logits.rows(), "weighted_cross_entropy", "logits", logits,
              [&] { return std::to_string(labels.size()) + " labels were given"; });
  row_type w = row_type::Ones(classes);
  if (!o.class_weights.empty()) {
    check_shape(std::ssize(o.class_weights) == classes, "weighted_cross_entropy", "logits", logits,
                [&] { return std::to_string(o.class_weights.size()) + " class weights were given"; });
    w = Eigen::Map<const row_type>(o.class_weights.data(), classes);
  }
  const double e = o.label_smoothing, share = e / static_cast<double>(classes);
  double sum = 0;
  for (const std::int32_t label : labels) {
    if (label < 0 || label >= classes) {
      throw shape_error("weighted_cross_entropy: label " + std::to_string(label) + " is outside 0 .. " + std::to_string(classes - 1));
    }
    sum += w(label);
  }
  double loss = 0;
  for (index b = 0; b < logits.rows(); ++b) {
    const index label = labels[static_cast<std::size_t>(b)];
    const row_type z = logits.row(b).template cast<double>().array();
    row_type log_p = z - z.maxCoeff();
    log_p -= std::log(log_p.exp().sum());
    loss -= (1 - e) * w(label) * log_p(label) + share * (w * log_p).sum();
    if (dlogits == nullptr) continue;
    row_type d = log_p.exp() * ((1 - e) * w(label) + share * w.sum()) - share * w;
    d(label) -= (1 - e) * w(label);
    dlogits->row(b).array() = (d * (static_cast<double>(scale) / sum)).template cast<T>();
  }
  return loss / sum;
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

/// Binary cross entropy of several labels at once, mean over the batch and its labels, with t_bc = 1 where label c holds and s the logistic
/// function:   L = -1/(B C) sum_bc (p_c t log s(z) + (1 - t) log(1 - s(z)));   dz = ((1 - t) s(z) - p_c t (1 - s(z))) scale / (B C)
/// @param  logits  (B, C)      @param sets  the ids of the labels that hold, row after row      @param offsets  (B + 1) where a row's begin
/// @param[out] dlogits  (B, C), skipped when null      @param positive  (C) the p_c; empty: all 1      @return L
/// @throws shape_error  a label outside 0 .. C - 1, or other rows
/// Source: torch.nn.functional.binary_cross_entropy_with_logits, `pos_weight`.   Tested: tests/losses/losses_test.cpp
template <class T>
double binary_cross_entropy(const_view<T> logits, std::span<const std::int32_t> sets, std::span<const index> offsets, view<T>* dlogits,
                            T scale = T(1), std::span<const double> positive = {}) {
  check_shape(static_cast<index>(offsets.size()) == logits.rows() + 1, "binary_cross_entropy", "logits", logits,
              [&] { return std::to_string(offsets.size()) + " offsets of label sets were given"; });
  check_shape(positive.empty() || std::ssize(positive) == logits.cols(), "binary_cross_entropy", "logits", logits,
              [&] { return std::to_string(positive.size()) + " class weights were given"; });
  const double share = 1 / static_cast<double>(logits.size());
  double loss = 0;
  for (index b = 0; b < logits.rows(); ++b) {
    for (index c = 0; c < logits.cols(); ++c) {  // as if none held: log(1 + e^z)
      const T z = logits(b, c), e = std::exp(-std::abs(z));
      loss += static_cast<double>(std::log1p(e)) + static_cast<double>(z > 0 ? z : T(0));
      if (dlogits != nullptr) (*dlogits)(b, c) = (z > 0 ? 1 : e) / (1 + e) * scale * static_cast<T>(share);
    }
    for (index i = offsets[static_cast<std::size_t>(b)]; i < offsets[static_cast<std::size_t>(b) + 1]; ++i) {
      const std::int32_t label = sets[static_cast<std::size_t>(i)];
      if (label < 0 || label >= logits.cols()) {
        throw shape_error("binary_cross_entropy: label " + std::to_string(label) + " is outside 0 .. " + std::to_string(logits.cols() - 1));
      }
      loss -= static_cast<double>(logits(b, label));
      if (dlogits != nullptr) (*dlogits)(b, label) -= scale * static_cast<T>(share);
      if (positive.empty()) continue;
      // log(1 + e^-z), p - 1 times more
      const double more = positive[static_cast<std::size_t>(label)] - 1, z = static_cast<double>(logits(b, label)),
                   e = std::exp(-std::abs(z));
      loss += more * (std::log1p(e) + (z < 0 ? -z : 0));
      if (dlogits != nullptr) (*dlogits)(b, label) -= static_cast<T>(more * (z < 0 ? 1 : e) / (1 + e) * share) * scale;
    }
  }
  return share * loss;
}

/// Mean entropy of the labels of several at once, each a yes or no of its own, over the batch, in nats.   logits (B, C)
template <class T>
double label_entropy(const_view<T> logits) {
  double total = 0;
  for (index b = 0; b < logits.rows(); ++b) {
    for (index c = 0; c < logits.cols(); ++c) {
      const double a = std::abs(static_cast<double>(logits(b, c))), e = std::exp(-a);
      total += std::log1p(e) + (e > 0 ? a * e / (1 + e) : 0);
    }
  }
  return total / static_cast<double>(logits.size());
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
