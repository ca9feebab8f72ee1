#pragma once
// The Gaussian error linear unit, x Phi(x), as products apply it to many numbers (ops/activation.hpp has it among others).

#include <algorithm>
#include <cstdint>
#include <numbers>
#include <type_traits>
#include <unsupported/Eigen/SpecialFunctions>

#include "graft/core/types.hpp"

namespace graft::ops {

/// y = gelu(x) to 0.0002, for n numbers that are rounded to 8 bits next; y may be x's memory. Phi(x) = 1/2 + x p(x^2) to |x| = 4, p of
/// degree 6 with Phi(4) = 1; 0 below -4, no number for an infinite one.
template <class T>
[[gnu::always_inline]] inline void approximate_gelu(const T* x, T* y, index n) {
  constexpr T p[] = {T(0.397870036),    T(-0.0645541376),   T(0.00876358112), T(-0.000812167224),
                     T(4.77619998e-05), T(-1.58874068e-06), T(2.25866606e-08)};
#pragma omp simd
  for (index i = 0; i < n; ++i) {
    T c = x[i] < T(-4) ? T(-4) : x[i];
    c = c > T(4) ? T(4) : c;
    const T z = c * c;
    const T sum = p[0] + z * (p[1] + z * (p[2] + z * (p[3] + z * (p[4] + z * (p[5] + z * p[6])))));
    y[i] = x[i] < T(-4) ? x[i] - x[i] : x[i] * (T(0.5) + c * sum);
  }
}

/// y = gelu(x) and s = gelu'(x) for n numbers, which share Phi(x) = (1 + erf(x / sqrt 2)) / 2; y may be x's memory.
///   gelu'(x) = Phi(x) + x phi(x),   phi(x) = exp(-x^2 / 2) / sqrt(2 pi)
/// Source: Hendrycks and Gimpel 2016; torch.nn.functional.gelu.   Tested: tests/ops/gelu_test.cpp
template <class T>
[[gnu::always_inline]] inline void gelu_with_derivative(const T* x, T* y, T* s, index n) {
  using values = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>;
  using results = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>>;
  constexpr T density = T(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  constexpr index chunk = 32;
  for (index first = 0; first < n; first += chunk) {
    const index count = std::min(chunk, n - first);
    const values in(x + first, count);
    alignas(64) T memory[chunk];
    results phi(memory, count);
    phi = T(0.5) * (T(1) + (in * T(1 / std::numbers::sqrt2)).erf());
    results(s + first, count) = phi + in * density * (T(-0.5) * in.square()).exp();
    results(y + first, count) = in * phi;
  }
}

/// gelu' lies between -0.13 and 1.13. In 8 bits it is kept to 0.0025, about as well as from an x of bf16; in a real type as it is.
inline constexpr float least_gelu_derivative = -0.13F, gelu_derivative_range = 1.26F;

/// to_i = s_i, a derivative, as S keeps it.
template <class T, class S>
[[gnu::always_inline]] inline void save_gelu_derivative(const T* s, S* to, index n) {
  if constexpr (std::is_same_v<S, std::uint8_t>) {
#pragma omp simd
    for (index i = 0; i < n; ++i)
      to[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>((s[i] - least_gelu_derivative) * (255 / gelu_derivative_range) + 0.5F));
  } else {
    std::copy(s, s + n, to);
  }
}
/// d_i *= the gelu_derivative kept at s_i
template <class T, class S>
[[gnu::always_inline]] inline void scale_by_gelu_derivative(T* d, const S* s, index n) {
  if constexpr (std::is_same_v<S, std::uint8_t>) {
#pragma omp simd
    for (index i = 0; i < n; ++i)
      d[i] *= static_cast<float>(static_cast<std::int32_t>(s[i])) * (gelu_derivative_range / 255) + least_gelu_derivative;
  } else {
#pragma omp simd
    for (index i = 0; i < n; ++i) d[i] *= s[i];
  }
}

}  // namespace graft::ops
