#pragma once
// Products of tiles. Code for several processors is compiled into every program, whatever it is compiled for; one is chosen at run time.

#include <cstdint>

#include "graft/core/bfloat16.hpp"
#include "graft/core/cpu.hpp"
#include "graft/gemm/tiles.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace graft::detail {

/// A kernel computes c (32, 32) = a b for ROWS x COLUMNS panels, 1 or 2 each, of DEPTH tiles.
inline constexpr index block_side = 32;
template <class T, class Real>
using tile_kernel = void (*)(const T* a, const T* b, index depth, int rows, int columns, Real* c);

/// The blocks of a kernel that computes one (16, 16) block at a time.
template <auto Block, class T, class Real>
void one_by_one(const T* a, const T* b, index depth, int rows, int columns, Real* c) {
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      Block(a + i * depth * tile<T>::size, b + j * depth * tile<T>::size, depth, c + 16 * (i * block_side + j));
    }
  }
}

/// BYTES of numbers that one register holds: wider ones than a processor has would be computed number by number.
template <class T, int Bytes>
struct lanes;
template <int Bytes>
struct lanes<float, Bytes> {
  typedef float type __attribute__((vector_size(Bytes), aligned(4)));  // NOLINT: an alias drops the alignment
};
template <int Bytes>
struct lanes<double, Bytes> {
  typedef double type __attribute__((vector_size(Bytes), aligned(8)));  // NOLINT
};

/// ROWS x 16 sums in registers. A struct, as a deduced type of vectors loses that they need not be aligned.
template <class T, int Bytes, int Rows>
struct block_sums {
  using vector = typename lanes<T, Bytes>::type;
  static constexpr int width = Bytes / static_cast<int>(sizeof(T)), across = 16 / width;

  [[gnu::always_inline]] void clear() {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < across; ++j) at[i][j] = vector{};
    }
  }
  /// To the rows of a block from C on.
  [[gnu::always_inline]] void store(T* c) const {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < across; ++j) *reinterpret_cast<vector*>(c + i * block_side + j * width) = at[i][j];
    }
  }

  vector at[Rows][across];
};

/// f32 and f64 on registers of BYTES: the sums of ROWS x 16 numbers stay in registers while the depth goes by.
template <int Bytes, int Rows, class T>
[[gnu::always_inline]] inline void real_block(const T* a, const T* b, index depth, T* c) {
  using sums = block_sums<T, Bytes, Rows>;
  using vector = typename sums::vector;
  constexpr int width = sums::width, across = sums::across;
  for (index first = 0; first < 16; first += Rows) {
    sums sum;
    sum.clear();
    for (index t = 0; t < depth; ++t) {
      const T* left = a + t * tile<T>::size + tile<T>::left(first, 0);
      const T* right = b + t * tile<T>::size;
#pragma GCC unroll 2
      for (index k = 0; k < tile<T>::depth; ++k) {
        vector row[across];
#pragma GCC unroll 16
        for (int j = 0; j < across; ++j) row[j] = *reinterpret_cast<const vector*>(right + tile<T>::right(k, 0) + j * width);
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
          for (int j = 0; j < across; ++j) sum.at[i][j] += left[tile<T>::left(i, k)] * row[j];
        }
      }
    }
    sum.store(c + first * block_side);
  }
}

/// bf16 without an instruction for it: each half of a pair becomes an f32, multiplied and added as such. As in the other kernels, sums are
/// f32 and go along the depth in pairs.
template <int Bytes, int Rows>
[[gnu::always_inline]] inline void bf16_block(const bfloat16* a, const bfloat16* b, index depth, float* c) {
  using sums = block_sums<float, Bytes, Rows>;
  using vector = typename sums::vector;
  typedef std::uint32_t pairs __attribute__((vector_size(Bytes), aligned(4), may_alias));  // NOLINT: an alias drops the attributes
  using format = tile<bfloat16>;
  constexpr int width = sums::width, across = sums::across;
  constexpr std::uint32_t upper = 0xffff0000U;
  for (index first = 0; first < 16; first += Rows) {
    sums sum;
    sum.clear();
    for (index t = 0; t < depth; ++t) {
      const auto* left = reinterpret_cast<const four_bytes*>(a + t * format::size + format::left(first, 0));
      const auto* right = reinterpret_cast<const four_bytes*>(b + t * format::size);
#pragma GCC unroll 2
      for (index pair = 0; pair < format::depth / 2; ++pair) {
        vector even[across], odd[across];
#pragma GCC unroll 16
        for (int j = 0; j < across; ++j) {
          const pairs both = *reinterpret_cast<const pairs*>(right + pair * 16 + j * width);
          even[j] = reinterpret_cast<vector>(both << 16);
          odd[j] = reinterpret_cast<vector>(both & upper);
        }
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) {
          const pairs both = pairs{} + left[i * format::depth / 2 + pair];
          const auto first_factor = reinterpret_cast<vector>(both << 16), second_factor = reinterpret_cast<vector>(both & upper);
#pragma GCC unroll 16
          for (int j = 0; j < across; ++j) {
            sum.at[i][j] += first_factor * even[j];
            sum.at[i][j] += second_factor * odd[j];
          }
        }
      }
    }
    sum.store(c + first * block_side);
  }
}

template <class T>
void plain_block(const T* a, const T* b, index depth, T* c) {
  real_block<16, 2>(a, b, depth, c);
}
inline void plain_bf16_block(const bfloat16* a, const bfloat16* b, index depth, float* c) { bf16_block<16, 2>(a, b, depth, c); }

#if defined(__x86_64__)

template <class T>
__attribute__((target("avx2,fma"))) inline void avx2_block(const T* a, const T* b, index depth, T* c) {
  real_block<32, 16 / sizeof(T)>(a, b, depth, c);
}
template <class T>
__attribute__((target("avx512f"))) inline void avx512_block(const T* a, const T* b, index depth, T* c) {
  real_block<64, 64 / sizeof(T)>(a, b, depth, c);
}
__attribute__((target("avx2,fma"))) inline void avx2_bf16_block(const bfloat16* a, const bfloat16* b, index depth, float* c) {
  bf16_block<32, 4>(a, b, depth, c);
}

/// One (16, 16) block: sixteen sums in registers, every pair of a row broadcast.
__attribute__((target("avx512f,avx512bf16"))) inline void avx512_bf16_block(const bfloat16* a, const bfloat16* b, index depth, float* c) {
  __m512 s[16];
#pragma GCC unroll 16
  for (auto& sum : s) sum = _mm512_setzero_ps();
  for (index t = 0; t < depth; ++t) {
    const auto* left = reinterpret_cast<const four_bytes*>(a + t * tile<bfloat16>::size);
    const bfloat16* right = b + t * tile<bfloat16>::size;
#pragma GCC unroll 2
    for (index pair = 0; pair < tile<bfloat16>::depth / 2; ++pair) {
      const auto columns = reinterpret_cast<__m512bh>(_mm512_loadu_si512(right + pair * 2 * 16));
#pragma GCC unroll 16
      for (index i = 0; i < 16; ++i) {
        s[i] = _mm512_dpbf16_ps(s[i], reinterpret_cast<__m512bh>(_mm512_set1_epi32(left[i * tile<bfloat16>::depth / 2 + pair])), columns);
      }
    }
  }
#pragma GCC unroll 16
  for (index i = 0; i < 16; ++i) _mm512_storeu_ps(c + i * block_side, s[i]);
}

/// What the tile unit needs to know before its first use on a thread: eight tiles of 16 rows of 64 bytes.
__attribute__((target("amx-tile"))) inline void configure_tile_unit() {
  struct alignas(64) {
    std::uint8_t palette = 1, start_row = 0, reserved[14]{};
    std::uint16_t row_bytes[16]{64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16]{16, 16, 16, 16, 16, 16, 16, 16};
  } configuration;
  asm volatile("" : : "m"(configuration) : "memory");  // GCC takes the instruction for a read of 8 bytes
  _tile_loadconfig(&configuration);
}
/// Gives the tiles back, so that the kernel need not save them when it switches threads.
__attribute__((target("amx-tile"))) inline void release_tile_unit() { _tile_release(); }

/// Tiles 0 .. 3 hold the sums, 4 and 5 the left factor, 6 and 7 the right one; four loads feed four products.
template <int Rows, int Columns>
__attribute__((target("amx-tile,amx-bf16"))) void amx_block(const bfloat16* a, const bfloat16* b, index depth, float* c) {
  constexpr int line = 64;  // bytes from one row of a tile to the next
  constexpr int row = block_side * sizeof(float);
  const index panel = depth * tile<bfloat16>::size;
  asm volatile("" : : : "memory");  // GCC does not know that the loads below read what was packed above
  _tile_zero(0);
  if constexpr (Columns == 2) _tile_zero(1);
  if constexpr (Rows == 2) _tile_zero(2);
  if constexpr (Rows == 2 && Columns == 2) _tile_zero(3);
  for (index t = 0; t < depth; ++t, a += tile<bfloat16>::size, b += tile<bfloat16>::size) {
    _tile_loadd(4, a, line);
    _tile_loadd(6, b, line);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (Columns == 2) {
      _tile_loadd(7, b + panel, line);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (Rows == 2) {
      _tile_loadd(5, a + panel, line);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (Rows == 2 && Columns == 2) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, row);
  if constexpr (Columns == 2) _tile_stored(1, c + 16, row);
  if constexpr (Rows == 2) _tile_stored(2, c + 16 * block_side, row);
  if constexpr (Rows == 2 && Columns == 2) _tile_stored(3, c + 16 * block_side + 16, row);
}
inline void amx_blocks(const bfloat16* a, const bfloat16* b, index depth, int rows, int columns, float* c) {
  if (rows == 2) {
    columns == 2 ? amx_block<2, 2>(a, b, depth, c) : amx_block<2, 1>(a, b, depth, c);
  } else {
    columns == 2 ? amx_block<1, 2>(a, b, depth, c) : amx_block<1, 1>(a, b, depth, c);
  }
}

#endif

/// The fastest kernel for f32 or f64 that this processor runs.
template <class T>
tile_kernel<T, T> real_kernel() {
#if defined(__x86_64__)
  static const bool avx512 = __builtin_cpu_supports("avx512f") != 0;
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  if (avx512) return one_by_one<avx512_block<T>, T, T>;
  if (avx2) return one_by_one<avx2_block<T>, T, T>;
#endif
  return one_by_one<plain_block<T>, T, T>;
}

inline tile_kernel<bfloat16, float> bf16_kernel([[maybe_unused]] tile_path path) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  if (path == tile_path::amx) return amx_blocks;
  if (path == tile_path::avx512) return one_by_one<avx512_bf16_block, bfloat16, float>;
  if (avx2) return one_by_one<avx2_bf16_block, bfloat16, float>;
#endif
  return one_by_one<plain_bf16_block, bfloat16, float>;
}

/// Holds the tile unit of this thread ready for PATH.
class tile_unit {
 public:
  explicit tile_unit(tile_path path) : used_(path == tile_path::amx) {
#if defined(__x86_64__)
    if (used_) configure_tile_unit();
#endif
  }
  tile_unit(const tile_unit&) = delete;
  tile_unit& operator=(const tile_unit&) = delete;
  ~tile_unit() {
#if defined(__x86_64__)
    if (used_) release_tile_unit();
#endif
  }

 private:
  bool used_;
};

}  // namespace graft::detail
