#pragma once
// Precision tags: what every layer is templated on, and nothing else.

namespace graft {

struct eigen_backend {};
struct onednn_backend {};

/// `real`: master weights, activations, gradients, norms, loss, optimizer. `operand`: what a matrix product reads and `saved` keeps.
template <class Backend>
struct f64_t {
  using real = double;
  using operand = double;
  using backend = Backend;
  static constexpr const char* name = "f64";
};
template <class Backend>
struct f32_t {
  using real = float;
  using operand = float;
  using backend = Backend;
  static constexpr const char* name = "f32";
};

using f64 = f64_t<eigen_backend>;
using f32 = f32_t<onednn_backend>;

}  // namespace graft
