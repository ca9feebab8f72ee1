#pragma once
// The low-rank update of a frozen weight (LoRA).

#include <string>
#include <vector>

#include "graft/core/types.hpp"

namespace graft {

/// Which projections get an update, and how large.
struct lora_options {
  index r = 8;       // rank
  double alpha = 8;  // the update is scaled by alpha / r
  std::vector<std::string> targets{"query", "value"};
};

}  // namespace graft
