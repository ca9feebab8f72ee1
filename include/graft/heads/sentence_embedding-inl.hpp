#pragma once
// Bodies of graft/heads/sentence_embedding.hpp.

#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/heads/sentence_embedding.hpp"
#include "graft/ops/activation.hpp"

namespace graft {

GRAFT_INLINE void normalize_length(Eigen::VectorXd& x) { x /= std::max(x.norm(), 1e-12); }

GRAFT_INLINE void apply_steps(std::span<const sentence_step> steps, Eigen::VectorXd& x) {
  for (const sentence_step& step : steps) {
    if (step.what == sentence_step::kind::normalize) {
      normalize_length(x);
    } else if (step.what == sentence_step::kind::layer_norm) {
      x.array() -= x.mean();
      x /= std::sqrt(x.squaredNorm() / static_cast<double>(x.size()) + 1e-5);
      x = x.cwiseProduct(step.weight.transpose()) + step.bias;
    } else {
      Eigen::VectorXd y = step.bias;
      y.noalias() += step.weight * x;
      ops::activate_row<double>(step.act, y, y);
      if (step.residual.size() > 0) y.noalias() += step.residual * x;
      if (step.adds_input) y += x;
      x = std::move(y);
    }
  }
}

}  // namespace graft
