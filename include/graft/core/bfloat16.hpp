#pragma once
// The 16-bit brain float: the upper half of an f32. Conversions of rows, which vectorize.

#include <Eigen/Core>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "graft/core/types.hpp"

namespace graft {

/// A float cut to its upper 16 bits: 8 of exponent, 8 significant ones.
using bfloat16 = Eigen::bfloat16;

namespace detail {

/// Round to nearest, ties to even; NaN stays NaN.
inline std::uint16_t bfloat16_bits(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded);
}
inline float bfloat16_value(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

inline std::uint16_t* raw(bfloat16* x) { return reinterpret_cast<std::uint16_t*>(x); }
inline const std::uint16_t* raw(const bfloat16* x) { return reinterpret_cast<const std::uint16_t*>(x); }

#if defined(__x86_64__)
/// Rounds by the instruction for it. A compiler that targets such processors alone puts it where it is called.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) inline void round_avx512_bf16(const float* from, std::uint16_t* to,
                                                                                              index n) {
  index i = 0;
  for (; i + 16 <= n; i += 16) _mm256_storeu_epi16(to + i, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i))));
  if (i == n) return;
  const auto rest = static_cast<__mmask16>((1U << (n - i)) - 1);
  _mm256_mask_storeu_epi16(to + i, rest, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(rest, from + i))));
}
#endif

}  // namespace detail

/// A number that is kept in either type, as it is computed with.
inline float number(bfloat16 x) { return detail::bfloat16_value(*detail::raw(&x)); }
inline float number(float x) { return x; }
inline double number(double x) { return x; }

/// to_i = from_i for i < n: between what is computed with and what is kept; the same type is copied. Processors with an instruction for
/// it take denormals for zero.
[[gnu::always_inline]] inline void convert(const float* from, bfloat16* to, index n) {
  std::uint16_t* bits = detail::raw(to);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16") != 0) {
    detail::round_avx512_bf16(from, bits, n);
    return;
  }
#endif
#pragma omp simd
  for (index i = 0; i < n; ++i) bits[i] = detail::bfloat16_bits(from[i]);
}
[[gnu::always_inline]] inline void convert(const bfloat16* from, float* to, index n) {
  const std::uint16_t* bits = detail::raw(from);
#pragma omp simd
  for (index i = 0; i < n; ++i) to[i] = detail::bfloat16_value(bits[i]);
}
template <class T>
[[gnu::always_inline]] inline void convert(const T* from, T* to, index n) {
#pragma omp simd
  for (index i = 0; i < n; ++i) to[i] = from[i];
}

/// The same for N numbers known beforehand, which takes no call and no loop where N is small.
template <index N, class A, class B>
void convert(const A* from, B* to) {
  if constexpr (std::is_same_v<A, B>) {
    std::memcpy(static_cast<void*>(to), from, N * sizeof(A));
  } else {
    convert(from, to, N);
  }
}

}  // namespace graft
