#pragma once
// Precision tags: what every layer is templated on, and nothing else.

#include <cstdint>

#include "graft/core/bfloat16.hpp"

namespace graft {

/// `real`: master weights, activations, gradients, norms, loss, optimizer. `operand`: what a matrix product reads and `saved` keeps.
/// `gelu_derivative`: what GELU's derivative is kept in (ops/gelu.hpp).
struct f64 {
  using real = double;
  using operand = double;
  using gelu_derivative = double;
  static constexpr const char* name = "f64";
};
struct f32 {
  using real = float;
  using operand = float;
  using gelu_derivative = float;
  static constexpr const char* name = "f32";
};
/// Products read bf16 and sum in f32, and what is kept for backward is bf16 too; the rest is f32.
struct bf16 {
  using real = float;
  using operand = bfloat16;
  using gelu_derivative = std::uint8_t;
  static constexpr const char* name = "bf16";
};

}  // namespace graft
