#pragma once
// From a text's hidden states to its embedding: pooling, and what sentence-transformers may put behind it.

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "graft/core/tuning_options.hpp"
#include "graft/core/types.hpp"
#include "graft/heads/pooling.hpp"

namespace graft {

/// y = the pooled rows of h, the tokens of a text, but for the first SKIP of them, of which there are fewer than rows; weightedmean counts
/// them all the same. Summed in double, a token after the other.
/// @param  h  (N, H)            @param[out] y  H numbers
/// Source: sentence-transformers, modules/pooling.py.   Tested: tests/heads/sentence_embedding_test.cpp
template <class T>
void pool_tokens(pooling how, const_view<T> h, index skip, double* y) {
  Eigen::Map<Eigen::RowVectorXd> pooled(y, h.cols());
  const auto row = [&](index i) { return h.row(i).template cast<double>(); };
  if (how == pooling::cls || how == pooling::lasttoken) {
    pooled = row(how == pooling::cls ? skip : h.rows() - 1);
    return;
  }
  double weights = 0;
  for (index i = skip; i < h.rows(); ++i) {
    const double weight = how == pooling::weightedmean ? static_cast<double>(i + 1) : 1;
    weights += weight;
    if (i == skip) {
      pooled = weight * row(i);
    } else if (how == pooling::max) {
      pooled = pooled.cwiseMax(row(i)) + 0 * (pooled + row(i));  // what is no number stays
    } else {
      pooled += weight * row(i);
    }
  }
  if (how != pooling::max) pooled /= how == pooling::mean_sqrt_len_tokens ? std::sqrt(weights) : weights;
}

/// What is done to a pooled vector.
///   dense       y = a(W x + b) + r,  r = 0, x or R x
///   layer_norm  y = w (x - mean) / sqrt(var + 1e-5) + b, biased variance
///   normalize   y = x / max(|x|, 1e-12)
/// Source: sentence-transformers, modules dense.py, layer_norm.py and normalize.py.
struct sentence_step {
  enum class kind : std::uint8_t { dense, layer_norm, normalize };
  kind what = kind::normalize;
  matrix<double> weight{}, residual{};  // (outputs, inputs); of layer_norm (1, inputs); residual: (0, 0): none
  Eigen::VectorXd bias{};               // (outputs)
  activation act = activation::linear;  // of dense
  bool adds_input = false;              // r = x
};

/// X after STEPS, one after the other. Every vector is computed alone, so that none depends on its neighbors.
void apply_steps(std::span<const sentence_step> steps, Eigen::VectorXd& x);

/// X to length 1, as the step normalize.
void normalize_length(Eigen::VectorXd& x);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/heads/sentence_embedding-inl.hpp"  // IWYU pragma: export
#endif
