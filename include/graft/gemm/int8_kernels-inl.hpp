#pragma once
// Bodies of graft/gemm/int8_kernels.hpp.

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/gemm/int8_kernels.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "graft/gemm/amx.hpp"
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_neon.h>
#include <sys/auxv.h>
#endif

namespace graft::detail {

/// Registers of so many numbers of 4 bytes. A struct, as a deduced type of vectors loses that they need not be aligned.
template <int Lanes>
struct registers_of {
  typedef float reals __attribute__((vector_size(4 * Lanes), aligned(4), may_alias));            // NOLINT: an alias drops the attributes
  typedef std::int32_t integers __attribute__((vector_size(4 * Lanes), aligned(4), may_alias));  // NOLINT
  typedef std::uint16_t halves __attribute__((vector_size(2 * Lanes), aligned(2), may_alias));   // NOLINT
  static constexpr int lanes = Lanes, in_block = turned / Lanes;
};

/// Sums and differences of numbers that are D apart, in the registers X of a block; C: 0, 1, ... for each lane. The factors are 1 and -1:
/// nothing is rounded.
template <class R, std::uint32_t D, std::uint32_t... C>
[[gnu::always_inline]] inline void turn_apart(typename R::reals* x, std::integer_sequence<std::uint32_t, C...>) {
  if constexpr (D < R::lanes) {
    const typename R::reals sign{((C & D) != 0 ? -1.0F : 1.0F)...};
#pragma GCC unroll 32
    for (int i = 0; i < R::in_block; ++i) x[i] = __builtin_shufflevector(x[i], x[i], (C ^ D)...) + x[i] * sign;
  } else {
    constexpr int d = D / R::lanes;
#pragma GCC unroll 32
    for (int i = 0; i < R::in_block; ++i) {
      if ((i & d) != 0) continue;
      const typename R::reals a = x[i], b = x[i + d];
      x[i] = a + b;
      x[i + d] = a - b;
    }
  }
}
/// x (128) = x H, every element by the same sums on any processor.
template <class R, std::uint32_t... D>
[[gnu::always_inline]] inline void turn_block(typename R::reals* x, std::integer_sequence<std::uint32_t, D...>) {
  (turn_apart<R, D>(x, std::make_integer_sequence<std::uint32_t, R::lanes>()), ...);
}

/// TO = numbers X for a register, as f32.
template <class R, class T>
[[gnu::always_inline]] inline void load_register(const T* x, typename R::reals& to) {
  if constexpr (std::is_same_v<T, float>) {
    to = *reinterpret_cast<const typename R::reals*>(x);
  } else if constexpr (std::is_same_v<T, bfloat16>) {
    const auto units = __builtin_convertvector(*reinterpret_cast<const typename R::halves*>(x), typename R::integers);
    to = reinterpret_cast<typename R::reals>(units << 16);
  } else {
    alignas(64) float numbers[R::lanes];
    for (int i = 0; i < R::lanes; ++i) numbers[i] = static_cast<float>(x[i]);
    to = *reinterpret_cast<const typename R::reals*>(numbers);
  }
}

/// TO, whole blocks, = X turned, in registers of so many LANES as the processor has. Returns the largest magnitude; none is a number where
/// one of them is none.
template <int Lanes, class T>
[[gnu::always_inline]] inline float turn_row(const segmented_row<T>& x, float* to) {
  using registers = registers_of<Lanes>;
  constexpr index lanes = Lanes;
  const auto* signs = reinterpret_cast<const typename registers::reals*>(turn_signs.data());
  typename registers::integers most{};  // magnitudes are ordered as their bits are
  for (index first = 0; first < x.n; first += turned, to += turned) {
    typename registers::reals block[registers::in_block];
    if (x.segment >= 16 && x.n - first >= turned) {
#pragma GCC unroll 32
      for (int i = 0; i < registers::in_block; ++i) load_register<registers>(x.at(first + lanes * i), block[i]);
    } else {
      alignas(64) T rest[turned] = {};
      for (index i = first; i < std::min(x.n, first + turned); ++i) rest[i - first] = *x.at(i);
#pragma GCC unroll 32
      for (int i = 0; i < registers::in_block; ++i) load_register<registers>(rest + lanes * i, block[i]);
    }
#pragma GCC unroll 32
    for (int i = 0; i < registers::in_block; ++i) block[i] *= signs[i];
    turn_block<registers>(block, std::integer_sequence<std::uint32_t, 16, 32, 64, 1, 2, 4, 8>());
#pragma GCC unroll 32
    for (int i = 0; i < registers::in_block; ++i) {
      *reinterpret_cast<typename registers::reals*>(to + lanes * i) = block[i];
      const auto magnitude = reinterpret_cast<typename registers::integers>(block[i]) & 0x7fffffff;
      most = magnitude > most ? magnitude : most;
    }
  }
  std::int32_t all = 0;
  for (int i = 0; i < Lanes; ++i) all = std::max(all, most[i]);
  return std::bit_cast<float>(all);
}

/// 127 / MOST, with which numbers up to MOST become whole ones; 0 where there is none, or so small a one that it has no inverse.
inline float inverse_scale(float most) { return most >= 1e-36F ? 127 / most : 0; }

template <class T>
float plain_round_row(const segmented_row<T>& x, float* work, std::uint8_t* to, index to_next) {
  const float most = turn_row<4>(x, work), inverse = inverse_scale(most);
  const index depth = int8_tiles(x.n) * 64;
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
                                    index height, index width, float* c, const upcoming& /*next*/) {
  using left = tile<std::uint8_t>;
  using right = tile<std::int8_t>;
  for (index o = 0; o < width; ++o) {
    const std::byte* panel = b + o / 16 * int8_panel_bytes(depth);
    const auto* weights = reinterpret_cast<const std::int8_t*>(panel);
    const int8_columns& columns = columns_behind(panel, depth);
    for (index r = 0; r < height; ++r) {
      std::int64_t sum = columns.start[o % 16];
      for (index t = 0; t < depth; ++t) {
        const std::uint8_t* row_of_a = a + (r / 16 * depth + t) * left::size;
        for (index k = 0; k < 64; ++k)
          sum += std::int64_t{row_of_a[left::left(r % 16, k)]} * weights[t * right::size + right::right(k, o % 16)];
      }
      const float scaled = static_cast<float>(static_cast<std::int32_t>(sum)) * columns.scale[o % 16];
      c[r * block_side + o] = std::fma(scaled, scale[r], bias[o]);
    }
  }
}

/// A block: some rows of one panel or two.
using int8_block = void(const std::uint8_t* a, const float* scale, const std::byte* b, const float* bias, index depth, float* c,
                        const upcoming& next);

/// A kernel of blocks, ROWS rows after the other: NARROW of one panel, WIDE of two, FEW ones where no more than half of ROWS are left.
template <int Rows, int8_block Narrow, int8_block Wide, int8_block FewNarrow = Narrow, int8_block FewWide = Wide>
void int8_by_rows(const std::uint8_t* a, const float* scale, const std::byte* b, const float* bias, index depth, index height, index width,
                  float* c, const upcoming& next) {
  const auto block = width > 16 ? Wide : Narrow, few = width > 16 ? FewWide : FewNarrow;
  const index blocks = (height + Rows - 1) / Rows;
  const auto parts = next.in_parts(blocks, depth);
  for (index i = 0; i < blocks; ++i) {
    const index row = i * Rows;
    const std::uint8_t* left = a + row / 16 * depth * tile<std::uint8_t>::size + tile<std::uint8_t>::left(row % 16, 0);
    (height - row <= Rows / 2 ? few : block)(left, scale + row, b, bias, depth, c + row * block_side, parts[i]);
  }
}
/// Both panels of a block, one after the other.
template <int8_block Narrow>
void int8_twice(const std::uint8_t* a, const float* scale, const std::byte* b, const float* bias, index depth, float* c,
                const upcoming& next) {
  Narrow(a, scale, b, bias, depth, c, next);
  Narrow(a, scale, b + int8_panel_bytes(depth), bias + 16, depth, c + 16, {});
}

#if defined(__x86_64__)

template <class T>
__attribute__((target("avx512f,avx512bw"))) float avx512_round_row(const segmented_row<T>& x, float* work, std::uint8_t* to,
                                                                   index to_next) {
  const float most = turn_row<16>(x, work);
  const __m512 inverse = _mm512_set1_ps(inverse_scale(most));
  const __m512i offset = _mm512_set1_epi8(-128);
  const index depth = int8_tiles(x.n) * 64;
  for (index k = 0; k < depth; k += 64, to += to_next) {
    __m512i q[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) q[i] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(work + k + index{16} * i), inverse));
    const __m512i all = _mm512_packs_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
    _mm512_storeu_si512(to, _mm512_xor_si512(all, offset));
  }
  return most / 127;
}
/// The same in halves: the first eight of every 16 numbers, then the second.
template <class T>
__attribute__((target("avx2"))) float avx2_round_row(const segmented_row<T>& x, float* work, std::uint8_t* to, index to_next) {
  const float most = turn_row<8>(x, work);
  const __m256 inverse = _mm256_set1_ps(inverse_scale(most));
  const __m256i offset = _mm256_set1_epi8(-128);
  const index depth = int8_tiles(x.n) * 64;
  for (index k = 0; k < depth; k += 64, to += to_next) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      __m256i q[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(work + k + index{16} * i + index{8} * half), inverse));
      }
      const __m256i all = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + index{32} * half), _mm256_xor_si256(all, offset));
    }
  }
  return most / 127;
}

/// ROWS rows of one or two panels, four neighbors of a row broadcast.
template <int Rows, int Panels>
__attribute__((target("avx512f,avx512vnni"))) inline void avx512_int8_block(const std::uint8_t* a, const float* scale, const std::byte* b,
                                                                            const float* bias, index depth, float* c,
                                                                            const upcoming& ahead) {
  upcoming next = ahead;
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
    const __m512 column_scale = _mm512_load_ps(columns_behind(b + j * panel, depth).scale), biases = _mm512_loadu_ps(bias + index{16} * j);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const __m512 y = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum[i][j]), column_scale), _mm512_set1_ps(scale[i]), biases);
      _mm512_storeu_ps(c + i * block_side + index{16} * j, y);
    }
  }
}

/// Four rows of a panel in registers of 32 bytes, by the instruction of AVX-VNNI or, where there is none, by two of AVX2: products of |q|
/// of a column and q of a row with the column's sign, of which two make up to 2 127^2 < 2^15. That one is text, as a function for
/// processors that have it would not be right for others.
template <bool Vnni>
__attribute__((target("avx2,fma"))) inline void avx2_int8_block(const std::uint8_t* a, const float* scale, const std::byte* b,
                                                                const float* bias, index depth, float* c, const upcoming& ahead) {
  upcoming next = ahead;
  const int8_columns& behind = columns_behind(b, depth);
  const __m256i offset = _mm256_set1_epi8(-128), ones = _mm256_set1_epi16(1);
  __m256i sum[4][2];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      sum[i][j] = Vnni ? _mm256_load_si256(reinterpret_cast<const __m256i*>(behind.start) + j) : _mm256_setzero_si256();
    }
  }
  for (index t = 0; t < depth; ++t, a += tile<std::uint8_t>::size, b += tile<std::int8_t>::size) {
    const auto* left = reinterpret_cast<const four_bytes*>(a);
    const auto* right = reinterpret_cast<const __m256i*>(b);
    next.fetch();
#pragma GCC unroll 4
    for (index k = 0; k < 16; ++k) {
      __m256i columns[2], magnitudes[2];
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        columns[j] = _mm256_load_si256(right + 2 * k + j);
        magnitudes[j] = _mm256_abs_epi8(columns[j]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const __m256i four = _mm256_set1_epi32(static_cast<int>(left[index{16} * i + k]));
        const __m256i q = _mm256_xor_si256(four, offset);
#pragma GCC unroll 2
        for (int j = 0; j < 2; ++j) {
          if constexpr (Vnni) {
            asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum[i][j]) : "x"(four), "x"(columns[j]));
          } else {
            const __m256i pairs = _mm256_maddubs_epi16(magnitudes[j], _mm256_sign_epi8(q, columns[j]));
            sum[i][j] = _mm256_add_epi32(sum[i][j], _mm256_madd_epi16(pairs, ones));
          }
        }
      }
    }
  }
#pragma GCC unroll 2
  for (int j = 0; j < 2; ++j) {
    const __m256 column_scale = _mm256_load_ps(behind.scale + index{8} * j), biases = _mm256_loadu_ps(bias + index{8} * j);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m256 y = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum[i][j]), column_scale), _mm256_set1_ps(scale[i]), biases);
      _mm256_storeu_ps(c + i * block_side + index{8} * j, y);
    }
  }
}

/// The sums that C needs, then scales and bias row by row.
__attribute__((target("avx512f"))) GRAFT_INLINE void amx_int8_kernel(const std::uint8_t* a, const float* scale, const std::byte* b,
                                                                     const float* bias, index depth, index height, index width, float* c,
                                                                     const upcoming& next) {
  const index panel = int8_panel_bytes(depth);
  amx_strip(a, b, panel, depth, height, width, reinterpret_cast<std::int32_t*>(c), next);
  for (index j = 0; j < width; j += 16) {
    const int8_columns& columns = columns_behind(b + j / 16 * panel, depth);
    const __m512i start = _mm512_load_si512(columns.start);
    const __m512 column_scale = _mm512_load_ps(columns.scale), biases = _mm512_loadu_ps(bias + j);
    for (index at = j; at < height * block_side; at += block_side) {
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_loadu_si512(c + at), start));
      _mm512_storeu_ps(c + at, _mm512_fmadd_ps(_mm512_mul_ps(sum, column_scale), _mm512_set1_ps(scale[at / block_side]), biases));
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

#elif defined(__aarch64__) && defined(__linux__)

// GCC's assembler knows sdot from ARMv8.2 on. These functions are for that, whatever the unit is compiled for: always_inline ones of the
// unit, for a newer one perhaps, cannot become part of them.
#if defined(__clang__)
#define GRAFT_DOTPROD __attribute__((target("dotprod")))
#else
#define GRAFT_DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
/// Four rows of a panel: products of four neighbors K, which are lane K of the rows' registers. Text, as not all compilers have a
/// function.
template <int K>
[[gnu::always_inline]] GRAFT_DOTPROD inline void neon_int8_step(const std::byte* b, const int8x16_t* rows, int32x4_t (*sum)[4]) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const int8x16_t columns = vld1q_s8(reinterpret_cast<const std::int8_t*>(b) + 64 * K + 16 * j);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) asm("sdot %0.4s, %1.16b, %2.4b[%c3]" : "+w"(sum[i][j]) : "w"(columns), "w"(rows[i]), "i"(K));
  }
}
GRAFT_DOTPROD inline void neon_int8_block(const std::uint8_t* a, const float* scale, const std::byte* b, const float* bias, index depth,
                                          float* c, const upcoming& ahead) {
  upcoming next = ahead;
  const int8_columns& behind = columns_behind(b, depth);
  int32x4_t sum[4][4] = {};
  for (index t = 0; t < depth; ++t, a += tile<std::uint8_t>::size) {
    for (index i = 0; i < next.at_once && next.lines > 0; ++i, --next.lines, next.from += 64) __builtin_prefetch(next.from, 0, 2);
    for (int k = 0; k < 4; ++k, b += 256) {
      int8x16_t rows[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) rows[i] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(a + 64 * i + 16 * k), vdupq_n_u8(128)));
      neon_int8_step<0>(b, rows, sum);
      neon_int8_step<1>(b, rows, sum);
      neon_int8_step<2>(b, rows, sum);
      neon_int8_step<3>(b, rows, sum);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const float32x4_t column_scale = vld1q_f32(behind.scale + 4 * j), biases = vld1q_f32(bias + 4 * j);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      vst1q_f32(c + i * block_side + 4 * j, vfmaq_n_f32(biases, vmulq_f32(vcvtq_f32_s32(sum[i][j]), column_scale), scale[i]));
    }
  }
}

#undef GRAFT_DOTPROD

#endif

template <class T>
kernel_list<row_rounding<T>> int8_roundings() {
  static constexpr kernel_choice<row_rounding<T>> all[] = {
#if defined(__x86_64__)
    {"AVX-512", has_avx512, avx512_round_row<T>},
    {"AVX2", has_avx2_and_fma, avx2_round_row<T>},
#endif
    {"plain code", anywhere, plain_round_row<T>},
  };
  return all;
}

GRAFT_INLINE kernel_list<int8_kernel_code*> int8_kernels() {
  static constexpr kernel_choice<int8_kernel_code*> all[] = {
#if defined(__x86_64__)
    {"AMX tiles", int8_tiles_work, amx_int8_kernel, tile_path::amx},
    {"AVX-512 VNNI", has_avx512_vnni,
     int8_by_rows<8, avx512_int8_block<8, 1>, avx512_int8_block<8, 2>, avx512_int8_block<4, 1>, avx512_int8_block<4, 2>>},
    {"AVX-VNNI", has_avx_vnni, int8_by_rows<4, avx2_int8_block<true>, int8_twice<avx2_int8_block<true>>>},
    {"AVX2", has_avx2_and_fma, int8_by_rows<4, avx2_int8_block<false>, int8_twice<avx2_int8_block<false>>>},
#elif defined(__aarch64__) && defined(__linux__)
    {"NEON dot products", has_neon_dot_products, int8_by_rows<4, neon_int8_block, int8_twice<neon_int8_block>>},
#endif
    {"plain code", anywhere, plain_int8_kernel},
  };
  return all;
}

#if defined(GRAFT_COMPILED)
template kernel_list<row_rounding<float>> int8_roundings<float>();
template kernel_list<row_rounding<double>> int8_roundings<double>();
template kernel_list<row_rounding<bfloat16>> int8_roundings<bfloat16>();
#endif

}  // namespace graft::detail
