#pragma once
// The settings of the optimizer.

#include <cstdint>
#include <string>

#include "graft/core/error.hpp"

namespace graft {

/// AdamW, or RAdam (Liu et al. 2020), whose first steps are held back until the variance can be trusted.
enum class optimizer_type : std::uint8_t { adam, radam };

/// @throws config_error  TEXT is neither
inline optimizer_type parse_optimizer_type(const std::string& text) {
  if (text == "adam") return optimizer_type::adam;
  if (text == "radam") return optimizer_type::radam;
  throw config_error("optimizer_type is \"" + text + "\", one of adam, radam was expected");
}

/// What AdamW is told besides rates.
struct adamw_options {
  optimizer_type type = optimizer_type::adam;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;  // of parameters in the role `weight`; all others have none
};

}  // namespace graft
