#pragma once
// Bodies of graft/gemm/int8_kernels.hpp.

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/gemm/amx.hpp"
#include "graft/gemm/int8_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace graft::detail {

typedef float sixteen_reals __attribute__((vector_size(64), aligned(4), may_alias));  // NOLINT: an alias drops the attributes

/// Sums and differences of numbers that are D apart, in each of eight registers; C: 0 .. 15. The factors are 1 and -1: nothing is rounded.
template <std::uint32_t D, std::uint32_t... C>
[[gnu::always_inline]] inline void turn_lanes(sixteen_reals* x, std::integer_sequence<std::uint32_t, C...>) {
  const sixteen_reals sign{((C & D) != 0 ? -1.0F : 1.0F)...};
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) x[i] = __builtin_shufflevector(x[i], x[i], (C ^ D)...) + x[i] * sign;
}
/// x (128) = x H, every element by the same sums on any processor.
[[gnu::always_inline]] inline void turn_block(sixteen_reals* x) {
  constexpr auto all = std::make_integer_sequence<std::uint32_t, 16>();
#pragma GCC unroll 3
  for (int d = 1; d < 8; d *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      if ((i & d) != 0) continue;
      const sixteen_reals a = x[i], b = x[i + d];
      x[i] = a + b;
      x[i + d] = a - b;
    }
  }
  turn_lanes<1>(x, all);
  turn_lanes<2>(x, all);
  turn_lanes<4>(x, all);
  turn_lanes<8>(x, all);
}

/// TO = sixteen numbers, as f32.
template <class T>
[[gnu::always_inline]] inline void load_sixteen(const T* x, sixteen_reals& to) {
  if constexpr (std::is_same_v<T, float>) {
    to = *reinterpret_cast<const sixteen_reals*>(x);
  } else if constexpr (std::is_same_v<T, bfloat16>) {
    typedef std::uint16_t halves __attribute__((vector_size(32), aligned(2), may_alias));  // NOLINT: an alias drops the attributes
    to = reinterpret_cast<sixteen_reals>(__builtin_convertvector(*reinterpret_cast<const halves*>(x), sixteen_units) << 16);
  } else {
    alignas(64) float own[16];
    for (int i = 0; i < 16; ++i) own[i] = static_cast<float>(x[i]);
    to = *reinterpret_cast<const sixteen_reals*>(own);
  }
}

/// TO, whole blocks, = X turned.
template <class T>
[[gnu::always_inline]] inline void turn_row(const row_in_pieces<T>& x, float* to) {
  const auto* signs = reinterpret_cast<const sixteen_reals*>(turn_signs.data());
  for (index first = 0; first < x.n; first += turned, to += turned) {
    sixteen_reals own[8];
    if (x.piece >= 16 && x.n - first >= turned) {
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) load_sixteen(x.at(first + index{16} * i), own[i]);
    } else {
      alignas(64) T rest[turned] = {};
      for (index i = first; i < std::min(x.n, first + turned); ++i) rest[i - first] = *x.at(i);
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) load_sixteen(rest + 16 * i, own[i]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) own[i] *= signs[i];
    turn_block(own);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) *reinterpret_cast<sixteen_reals*>(to + index{16} * i) = own[i];
  }
}

/// 127 / MOST, with which numbers up to MOST become whole ones; 0 where there is none, or so small a one that it has no inverse.
inline float inverse_scale(float most) { return most >= 1e-36F ? 127 / most : 0; }

template <class T>
float plain_round_row(const row_in_pieces<T>& x, float* work, std::uint8_t* to, index to_next) {
  turn_row(x, work);
  const index depth = int8_tiles(x.n) * 64;
  std::uint32_t most_bits = 0;
  for (index i = 0; i < depth; ++i) most_bits = std::max(most_bits, std::bit_cast<std::uint32_t>(work[i]) & 0x7fffffffU);
  const auto most = std::bit_cast<float>(most_bits);
  const float inverse = inverse_scale(most);
  for (index k = 0; k < depth; k += 64, to += to_next) {
    for (index i = 0; i < 64; ++i) {
      const index from = i % 16 / 4 * 16 + i / 16 * 4 + i % 4;  // as the instructions below put 64 numbers in four vectors
      to[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(std::lrint(work[k + from] * inverse)) + 128);
    }
  }
  return most / 127;
}

inline const int8_columns& columns_behind(const std::byte* panel, index depth) {
  return *reinterpret_cast<const int8_columns*>(panel + depth * tile<std::int8_t>::size);
}

GRAFT_INLINE void plain_int8_kernel(const std::uint8_t* a, const float* scale, const std::byte* b, const float* bias, index depth,
                                    index height, index width, float* c, upcoming /*next*/) {
  using left = tile<std::uint8_t>;
  using right = tile<std::int8_t>;
  for (index o = 0; o < width; ++o) {
    const std::byte* panel = b + o / 16 * int8_panel_bytes(depth);
    const auto* weights = reinterpret_cast<const std::int8_t*>(panel);
    const int8_columns& columns = columns_behind(panel, depth);
    for (index r = 0; r < height; ++r) {
      std::int64_t sum = columns.start[o % 16];
      for (index t = 0; t < depth; ++t) {
        const std::uint8_t* own = a + (r / 16 * depth + t) * left::size;
        for (index k = 0; k < 64; ++k) sum += std::int64_t{own[left::left(r % 16, k)]} * weights[t * right::size + right::right(k, o % 16)];
      }
      const float scaled = static_cast<float>(static_cast<std::int32_t>(sum)) * columns.scale[o % 16];
      c[r * block_side + o] = std::fma(scaled, scale[r], bias[o]);
    }
  }
}

#if defined(__x86_64__)

template <class T>
__attribute__((target("avx512f,avx512bw"))) float avx512_round_row(const row_in_pieces<T>& x, float* work, std::uint8_t* to,
                                                                   index to_next) {
  turn_row(x, work);
  const index depth = int8_tiles(x.n) * 64;
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i most_bits[4] = {};
  for (index k = 0; k < depth; k += 64) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      most_bits[i] = _mm512_max_epu32(most_bits[i], _mm512_and_si512(_mm512_loadu_si512(work + k + index{16} * i), magnitude));
    }
  }
  const __m512i both = _mm512_max_epu32(_mm512_max_epu32(most_bits[0], most_bits[1]), _mm512_max_epu32(most_bits[2], most_bits[3]));
  const auto most = std::bit_cast<float>(_mm512_reduce_max_epu32(both));
  const __m512 inverse = _mm512_set1_ps(inverse_scale(most));
  const __m512i offset = _mm512_set1_epi8(-128);
  for (index k = 0; k < depth; k += 64, to += to_next) {
    __m512i q[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) q[i] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(work + k + index{16} * i), inverse));
    const __m512i all = _mm512_packs_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
    _mm512_storeu_si512(to, _mm512_xor_si512(all, offset));
  }
  return most / 127;
}

/// ROWS rows of one or two panels, four neighbours of a row broadcast.
template <int Rows, int Panels>
__attribute__((target("avx512f,avx512vnni"))) inline void avx512_int8_block(const std::uint8_t* a, const float* scale, const std::byte* b,
                                                                            const float* bias, index depth, float* c, upcoming next) {
  const index panel = int8_panel_bytes(depth);
  __m512i sum[Rows][Panels];
#pragma GCC unroll 2
  for (int j = 0; j < Panels; ++j) {
    const __m512i start = _mm512_load_si512(columns_behind(b + j * panel, depth).start);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) sum[i][j] = start;
  }
  const std::byte* right = b;
  for (index t = 0; t < depth; ++t, a += tile<std::uint8_t>::size, right += tile<std::int8_t>::size) {
    const auto* left = reinterpret_cast<const four_bytes*>(a);
    next.fetch();
#pragma GCC unroll 4
    for (index k = 0; k < 16; ++k) {
      __m512i columns[Panels];
#pragma GCC unroll 2
      for (int j = 0; j < Panels; ++j) columns[j] = _mm512_load_si512(right + j * panel + 64 * k);
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) {
        const __m512i four = _mm512_set1_epi32(static_cast<int>(left[index{16} * i + k]));
#pragma GCC unroll 2
        for (int j = 0; j < Panels; ++j) sum[i][j] = _mm512_dpbusd_epi32(sum[i][j], four, columns[j]);
      }
    }
  }
#pragma GCC unroll 2
  for (int j = 0; j < Panels; ++j) {
    const __m512 own = _mm512_load_ps(columns_behind(b + j * panel, depth).scale), more = _mm512_loadu_ps(bias + index{16} * j);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const __m512 y = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum[i][j]), own), _mm512_set1_ps(scale[i]), more);
      _mm512_storeu_ps(c + i * block_side + index{16} * j, y);
    }
  }
}
inline void avx512_int8_kernel(const std::uint8_t* a, const float* scale, const std::byte* b, const float* bias, index depth, index height,
                               index width, float* c, upcoming next) {
  const index parts = (height + 7) / 8;
  for (index i = 0; i < parts; ++i) {
    const index row = 8 * i;
    const bool few = height - row <= 4, wide = width > 16;
    const auto block =
        few ? (wide ? avx512_int8_block<4, 2> : avx512_int8_block<4, 1>) : (wide ? avx512_int8_block<8, 2> : avx512_int8_block<8, 1>);
    block(a + row / 16 * depth * tile<std::uint8_t>::size + tile<std::uint8_t>::left(row % 16, 0), scale + row, b, bias, depth,
          c + row * block_side, next.part(i, parts, depth));
  }
}

/// The sums that C needs, then scales and bias row by row.
__attribute__((target("avx512f"))) GRAFT_INLINE void amx_int8_kernel(const std::uint8_t* a, const float* scale, const std::byte* b,
                                                                     const float* bias, index depth, index height, index width, float* c,
                                                                     upcoming next) {
  const index panel = int8_panel_bytes(depth);
  amx_strip(a, b, panel, depth, height, width, reinterpret_cast<std::int32_t*>(c), next);
  for (index j = 0; j < width; j += 16) {
    const int8_columns& columns = columns_behind(b + j / 16 * panel, depth);
    const __m512i start = _mm512_load_si512(columns.start);
    const __m512 own = _mm512_load_ps(columns.scale), more = _mm512_loadu_ps(bias + j);
    for (index at = j; at < height * block_side; at += block_side) {
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_loadu_si512(c + at), start));
      _mm512_storeu_ps(c + at, _mm512_fmadd_ps(_mm512_mul_ps(sum, own), _mm512_set1_ps(scale[at / block_side]), more));
    }
  }
}

/// Whether tiles of 8-bit numbers are granted, and give the numbers of plain code in a small example.
inline bool int8_tiles_work() {
  static const bool work = [] {
    if (!has_amx_int8()) return false;
    constexpr index depth = 2, panel = int8_panel_bytes(depth), all = block_side * block_side;
    alignas(64) std::uint8_t a[2 * depth * tile<std::uint8_t>::size];
    alignas(64) std::byte b[2 * panel] = {};
    alignas(64) float scale[block_side], bias[block_side], y[all] = {}, expected[all] = {};
    for (index i = 0; i < std::ssize(a); ++i) a[i] = static_cast<std::uint8_t>(37 * i % 256);
    for (index i = 0; i < 2 * panel; ++i) b[i] = static_cast<std::byte>(static_cast<std::uint8_t>(29 * i % 255 - 127));
    for (index p = 0; p < 2; ++p) reinterpret_cast<int8_columns*>(b + (p + 1) * panel)[-1] = {.scale = {1, 2, 3}, .start = {-5, 7}};
    for (index i = 0; i < block_side; ++i) scale[i] = static_cast<float>(i + 1), bias[i] = static_cast<float>(3 - i);
    const tile_unit unit(tile_path::amx);
    amx_int8_kernel(a, scale, b, bias, depth, block_side, block_side, y, {});
    plain_int8_kernel(a, scale, b, bias, depth, block_side, block_side, expected, {});
    return std::equal(y, y + all, expected);
  }();
  return work;
}

#endif

template <class T>
row_rounding<T> int8_rounding() {
#if defined(__x86_64__)
  static const bool avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0;
  if (avx512) return avx512_round_row<T>;
#endif
  return plain_round_row<T>;
}

GRAFT_INLINE int8_kernel_code* int8_kernel([[maybe_unused]] tile_path path) {
#if defined(__x86_64__)
  static const bool vnni = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
  if (path == tile_path::amx && int8_tiles_work()) return amx_int8_kernel;
  if (vnni) return avx512_int8_kernel;
#endif
  return plain_int8_kernel;
}
GRAFT_INLINE const char* int8_kernel_name(tile_path path) {
#if defined(__x86_64__)
  if (int8_kernel(path) == amx_int8_kernel) return "AMX tiles";
#endif
  return int8_kernel(path) == plain_int8_kernel ? "plain code" : "AVX-512 VNNI";
}

#if defined(GRAFT_COMPILED)
template row_rounding<float> int8_rounding();
template row_rounding<double> int8_rounding();
template row_rounding<bfloat16> int8_rounding();
#endif

}  // namespace graft::detail
