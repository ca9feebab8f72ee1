#pragma once
// Tiles of 8-bit numbers: how they are rounded and multiplied, for several processors; one is chosen at run time.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "graft/gemm/tile_kernels.hpp"

namespace graft::detail {

/// A tile (gemm/tiles.hpp) of 16 rows or columns of 64 numbers q each, and what they stand for, as 2 x 16 numbers behind them:
///   left:   x = scale (q - more), q in 0 .. 255, so that 0 is exactly `more`
///   right:  w = scale q, q in -127 .. 127, of which `more` is the sum
/// Every 64 numbers have a scale of their own: one large one costs its 64 neighbours exactness, not the whole row.
template <class T>
struct alignas(64) int8_tile {
  T q[tile<T>::size];
  float scale[16], more[16];
};
using left_tile = int8_tile<std::uint8_t>;
using right_tile = int8_tile<std::int8_t>;

/// X to the nearest whole number, halves to the even one.
inline std::int32_t nearest(float x) { return static_cast<std::int32_t>(std::lrint(x)); }

/// How numbers are rounded: RANGE grows by what the first N hold, NaN where one of them is, so that no answer hides it; TO = ZERO + the
/// nearest of INVERSE x, kept in 0 .. 255.
template <class T>
struct rounding {
  void (*range)(const T* x, index n, std::array<float, 2>& range);
  void (*round)(const T* x, index n, float inverse, std::int32_t zero, std::uint8_t* to);
};

template <class T>
void plain_range(const T* x, index n, std::array<float, 2>& range) {
  for (index i = 0; i < n && !std::isnan(range[0]); ++i) {
    const auto number = static_cast<float>(x[i]);
    range[0] = std::isnan(number) ? number : std::min(range[0], number);
    range[1] = std::isnan(number) ? number : std::max(range[1], number);
  }
}
template <class T>
void plain_round(const T* x, index n, float inverse, std::int32_t zero, std::uint8_t* to) {
  for (index i = 0; i < n; ++i) {
    to[i] = static_cast<std::uint8_t>(std::clamp(nearest(static_cast<float>(x[i]) * inverse) + zero, 0, 255));
  }
}

/// A kernel computes c (32, 32) = a b for the first HEIGHT x WIDTH of its numbers, of DEPTH tiles; what lies around them in C may be
/// written, too:   c_ro = sum over tiles of s_r s_o (sum_k q_rk q_ok - more_r more_o), where the inner sums are whole numbers.
using int8_kernel_function = void (*)(const left_tile* a, const right_tile* b, index depth, index height, index width, float* c,
                                      upcoming next);

inline void plain_int8_kernel(const left_tile* a, const right_tile* b, index depth, index height, index width, float* c,
                              upcoming /*next*/) {
  for (index r = 0; r < height; ++r) {
    for (index o = 0; o < width; ++o) {
      float sum = 0;
      for (index t = 0; t < depth; ++t) {
        const left_tile& left = a[r / 16 * depth + t];
        const right_tile& right = b[o / 16 * depth + t];
        std::int32_t whole = 0;
        for (index k = 0; k < 64; ++k) whole += left.q[tile<std::uint8_t>::left(r % 16, k)] * right.q[tile<std::int8_t>::right(k, o % 16)];
        const float centred = static_cast<float>(whole) - left.more[r % 16] * right.more[o % 16];
        sum += centred * right.scale[o % 16] * left.scale[r % 16];
      }
      c[r * block_side + o] = sum;
    }
  }
}

#if defined(__x86_64__)

inline __attribute__((target("avx512f"), always_inline)) __m512 sixteen_floats(const float* x) { return _mm512_loadu_ps(x); }
inline __attribute__((target("avx512f"), always_inline)) __m512 sixteen_floats(const bfloat16* x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x))), 16));
}
template <class T>
__attribute__((target("avx512f"))) void avx512_range(const T* x, index n, std::array<float, 2>& range) {
  if (std::isnan(range[0])) return;
  __m512 low = _mm512_set1_ps(range[0]), high = _mm512_set1_ps(range[1]);
  __mmask16 no_number = 0;
  index i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512 numbers = sixteen_floats(x + i);
    low = _mm512_min_ps(low, numbers);
    high = _mm512_max_ps(high, numbers);
    no_number = static_cast<__mmask16>(no_number | _mm512_cmp_ps_mask(numbers, numbers, _CMP_UNORD_Q));
  }
  range = {_mm512_reduce_min_ps(low), _mm512_reduce_max_ps(high)};
  if (no_number != 0) range.fill(std::numeric_limits<float>::quiet_NaN());
  plain_range(x + i, n - i, range);
}
template <class T>
__attribute__((target("avx512f"))) void avx512_round(const T* x, index n, float inverse, std::int32_t zero, std::uint8_t* to) {
  const __m512 factor = _mm512_set1_ps(inverse);
  const __m512i offset = _mm512_set1_epi32(zero);
  index i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(sixteen_floats(x + i), factor)), offset);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), _mm512_cvtusepi32_epi8(_mm512_max_epi32(q, _mm512_setzero_si512())));
  }
  plain_round(x + i, n - i, inverse, zero, to + i);
}

/// Four rows, FIRST on, of one or two panels, four neighbours of a row broadcast.
template <int Panels>
__attribute__((target("avx512f,avx512vnni"))) inline void avx512_int8_block(const left_tile* a, index first, const right_tile* b,
                                                                            index depth, float* c, upcoming next) {
  __m512 sum[4][Panels];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Panels; ++j) sum[i][j] = _mm512_setzero_ps();
  }
  for (index t = 0; t < depth; ++t) {
    const auto* left = reinterpret_cast<const four_bytes*>(a[t].q + 64 * first);
    next.fetch();
    __m512i whole[4][Panels];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < Panels; ++j) whole[i][j] = _mm512_setzero_si512();
    }
#pragma GCC unroll 4
    for (index k = 0; k < 16; ++k) {
      __m512i columns[Panels];
#pragma GCC unroll 2
      for (int j = 0; j < Panels; ++j) columns[j] = _mm512_load_si512(b[j * depth + t].q + 64 * k);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const __m512i four = _mm512_set1_epi32(static_cast<int>(left[i * 16 + k]));
#pragma GCC unroll 2
        for (int j = 0; j < Panels; ++j) whole[i][j] = _mm512_dpbusd_epi32(whole[i][j], four, columns[j]);
      }
    }
#pragma GCC unroll 2
    for (int j = 0; j < Panels; ++j) {
      const __m512 scale = _mm512_load_ps(b[j * depth + t].scale), sums = _mm512_load_ps(b[j * depth + t].more);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const __m512 zero = _mm512_set1_ps(a[t].more[first + i]), own = _mm512_set1_ps(a[t].scale[first + i]);
        const __m512 centred = _mm512_mul_ps(_mm512_fnmadd_ps(zero, sums, _mm512_cvtepi32_ps(whole[i][j])), scale);
        sum[i][j] = _mm512_fmadd_ps(centred, own, sum[i][j]);
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Panels; ++j) _mm512_storeu_ps(c + i * block_side + index{16} * j, sum[i][j]);
  }
}
inline void avx512_int8_kernel(const left_tile* a, const right_tile* b, index depth, index height, index width, float* c, upcoming next) {
  const index parts = (height + 3) / 4;
  for (index i = 0; i < parts; ++i) {
    const index row = 4 * i;
    (width > 16 ? avx512_int8_block<2> : avx512_int8_block<1>)(a + row / 16 * depth, row % 16, b, depth, c + row * block_side,
                                                               next.part(i, parts, depth));
  }
}

#endif

template <class T>
rounding<T> int8_rounding() {
#if defined(__x86_64__)
  if constexpr (sizeof(T) <= 4) {
    static const bool avx512 = __builtin_cpu_supports("avx512f") != 0;
    if (avx512) return {avx512_range<T>, avx512_round<T>};
  }
#endif
  return {plain_range<T>, plain_round<T>};
}

/// The fastest kernel that this processor runs.
inline int8_kernel_function int8_kernel() {
#if defined(__x86_64__)
  static const bool vnni = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
  if (vnni) return avx512_int8_kernel;
#endif
  return plain_int8_kernel;
}
inline const char* int8_kernel_name() { return int8_kernel() == plain_int8_kernel ? "plain code" : "AVX-512 VNNI"; }

}  // namespace graft::detail
