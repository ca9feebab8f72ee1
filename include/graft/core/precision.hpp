#pragma once
// Precision tags: what every layer is templated on, and nothing else.

#include <cstdint>

#include "graft/core/bfloat16.hpp"

namespace graft {

struct eigen_backend {};
struct onednn_backend {};

/// `real`: master weights, activations, gradients, norms, loss, optimizer. `operand`: what a matrix product reads and `saved` keeps.
/// `gelu_derivative`: what GELU's derivative is kept in (ops/gelu.hpp).
template <class Backend>
struct f64_t {
  using real = double;
  using operand = double;
  using gelu_derivative = double;
  using backend = Backend;
  static constexpr const char* name = "f64";
};
template <class Backend>
struct f32_t {
  using real = float;
  using operand = float;
  using gelu_derivative = float;
  using backend = Backend;
  static constexpr const char* name = "f32";
};
/// Products read bf16 and sum in f32, and what is kept for backward is bf16 too; the rest is f32.
struct bf16 {
  using real = float;
  using operand = bfloat16;
  using gelu_derivative = std::uint8_t;
  using backend = onednn_backend;
  static constexpr const char* name = "bf16";
};

/// The precisions that programs name: f64 computed by Eigen, f32 by oneDNN.
using f64 = f64_t<eigen_backend>;
using f32 = f32_t<onednn_backend>;

}  // namespace graft
