#pragma once
// Bodies of graft/train/evaluation.hpp.

#include "graft/core/compiled.hpp"
#include "graft/data/featurize.hpp"
#include "graft/train/evaluation.hpp"

namespace graft {

GRAFT_INLINE void require_finite(const_view<double> answers) {
  for (index r = 0; r < answers.rows(); ++r) {
    if (answers.row(r).allFinite()) continue;
    throw row_error(r,
                    "the model's answer is no finite number: its weights, though finite, are too large to compute with (has training "
                    "diverged?)");
  }
}

}  // namespace graft
