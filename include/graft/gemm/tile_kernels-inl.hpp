#pragma once
// Bodies of graft/gemm/tile_kernels.hpp.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/gemm/amx.hpp"
#include "graft/gemm/tile_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace graft::detail {

/// What a kernel goes through at a time: TILES of panels that are PANEL tiles deep; with MORE, c has the sums of those before. From
/// ROWS_NEXT on lie the left operand's tiles that the next one reads.
struct depth_part {
  index tiles, panel;
  bool more;
  const void* rows_next;
};

/// Asks for ROWS rows of the tile at AT, and goes on to the next: an operand that is larger than the second-level cache comes from behind
/// it for every 32 columns.
template <int Rows, class T>
[[gnu::always_inline]] inline void fetch_rows(const T*& at) {
#pragma GCC unroll 16
  for (index i = 0; i < Rows; ++i) __builtin_prefetch(at + tile<T>::left(i, 0));
  at += tile<T>::size;
}

/// How blocks of ROWS rows and 16 columns, or 32, are computed: the wider, the less is read for each product. What is left over, if it is
/// no more than half as many rows, by kernels of half as many.
template <int Rows, auto Narrow, auto Wide, auto FewNarrow = Narrow, auto FewWide = Wide>
struct row_blocks {
  static constexpr int rows = Rows;
  template <class T, class Real>
  static void compute(index height, index width, const T* a, const T* b, const depth_part& part, Real* c, const upcoming& next) {
    const auto block = width > 16 ? Wide : Narrow, few = width > 16 ? FewWide : FewNarrow;
    (height <= Rows / 2 ? few : block)(a, b, part, c, next);
  }
};

/// All rows pass a part of the depth before the next, so that the right operand's part is read from the first-level cache.
template <class Blocks, class T, class Real>
void by_rows(const T* a, const T* b, index depth, index height, index width, Real* c, const upcoming& next) {
  constexpr index most = 12;  // tiles: 24 KiB of two panels
  const index down = (height + Blocks::rows - 1) / Blocks::rows, parts = std::max<index>(1, (depth + most - 1) / most);
  for (index t = 0; t < parts * most; t += most) {
    depth_part part{std::min(most, depth - t), depth, t > 0, nullptr};
    const auto fetched = next.in_parts(parts * down, part.tiles);
    const auto rows_at = [&](index row, index at) { return a + (row / 16 * depth + at) * tile<T>::size + tile<T>::left(row % 16, 0); };
    for (index i = 0; i < down; ++i) {
      const index row = i * Blocks::rows;
      part.rows_next = i + 1 < down ? rows_at(row + Blocks::rows, t) : rows_at(0, t + most < depth ? t + most : 0);
      Blocks::compute(height - row, width, rows_at(row, t), b + t * tile<T>::size, part, c + row * block_side,
                      fetched[t / most * down + i]);
    }
  }
}

/// ROWS x 16 PANELS sums in registers of BYTES: wider ones than a processor has would be computed number by number. A struct, as a deduced
/// type of vectors loses that they need not be aligned.
template <class T, int Bytes, int Rows, int Panels>
struct block_sums {
  typedef T vector __attribute__((vector_size(Bytes), aligned(sizeof(T))));  // NOLINT: an alias drops the alignment
  static constexpr index width = Bytes / static_cast<int>(sizeof(T)), in_panel = 16 / width, across = Panels * in_panel;

  /// From zero, or, with MORE, from what stands in the rows of a block from C on.
  [[gnu::always_inline]] void begin(const T* c, bool more) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < across; ++j) at[i][j] = more ? *reinterpret_cast<const vector*>(c + i * block_side + j * width) : vector{};
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

/// f32 and f64 on registers of BYTES: the sums of ROWS x 16 PANELS numbers stay in registers while the depth goes by.
template <int Bytes, int Rows, int Panels, class T>
[[gnu::always_inline]] inline void real_block(const T* a, const T* b, const depth_part& part, T* c, const upcoming& ahead) {
  upcoming next = ahead;
  using sums = block_sums<T, Bytes, Rows, Panels>;
  using vector = typename sums::vector;
  constexpr index width = sums::width, in_panel = sums::in_panel, across = sums::across;
  const index panel = part.panel * tile<T>::size;
  const T* rows_next = static_cast<const T*>(part.rows_next);
  sums sum;
  sum.begin(c, part.more);
  for (index t = 0; t < part.tiles; ++t, a += tile<T>::size, b += tile<T>::size) {
    next.fetch();
    fetch_rows<Rows>(rows_next);
#pragma GCC unroll 4
    for (index k = 0; k < tile<T>::depth; ++k) {
      vector row[across];
#pragma GCC unroll 16
      for (int j = 0; j < across; ++j) {
        row[j] = *reinterpret_cast<const vector*>(b + j / in_panel * panel + tile<T>::right(k, 0) + j % in_panel * width);
      }
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
        for (int j = 0; j < across; ++j) sum.at[i][j] += a[tile<T>::left(i, k)] * row[j];
      }
    }
  }
  sum.store(c);
}

/// bf16 without an instruction for it: each half of a pair becomes an f32, multiplied and added as such. As in the other kernels, sums are
/// f32 and go along the depth in pairs.
template <int Bytes, int Rows, int Panels>
[[gnu::always_inline]] inline void bf16_block(const bfloat16* a, const bfloat16* b, const depth_part& part, float* c,
                                              const upcoming& ahead) {
  upcoming next = ahead;
  using sums = block_sums<float, Bytes, Rows, Panels>;
  using vector = typename sums::vector;
  typedef std::uint32_t pairs __attribute__((vector_size(Bytes), aligned(4), may_alias));  // NOLINT: an alias drops the attributes
  using format = tile<bfloat16>;
  constexpr index width = sums::width, in_panel = sums::in_panel, across = sums::across;
  constexpr std::uint32_t upper = 0xffff0000U;
  const index panel = part.panel * format::size / 2;
  const auto* left = reinterpret_cast<const four_bytes*>(a);
  const auto* right = reinterpret_cast<const four_bytes*>(b);
  sums sum;
  sum.begin(c, part.more);
  for (index t = 0; t < part.tiles; ++t, left += format::size / 2, right += format::size / 2) {
    next.fetch();
#pragma GCC unroll 2
    for (index pair = 0; pair < format::depth / 2; ++pair) {
      vector even[across], odd[across];
#pragma GCC unroll 16
      for (int j = 0; j < across; ++j) {
        const pairs both = *reinterpret_cast<const pairs*>(right + j / in_panel * panel + pair * 16 + j % in_panel * width);
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
  sum.store(c);
}

/// Both panels of a block, one after the other.
template <auto Narrow, class T, class Real>
void twice(const T* a, const T* b, const depth_part& part, Real* c, const upcoming& next) {
  Narrow(a, b, part, c, next);
  Narrow(a, b + part.panel * tile<T>::size, part, c + 16, {});
}

#if defined(__x86_64__)

template <class T>
__attribute__((target("avx2,fma"))) inline void avx2_block(const T* a, const T* b, const depth_part& part, T* c, const upcoming& next) {
  real_block<32, 16 / sizeof(T), 1>(a, b, part, c, next);
}
template <class T, int Rows, int Panels>
__attribute__((target("avx512f"))) inline void avx512_block(const T* a, const T* b, const depth_part& part, T* c, const upcoming& next) {
  real_block<64, Rows, Panels>(a, b, part, c, next);
}
template <class T>
using avx2_blocks = row_blocks<16 / sizeof(T), avx2_block<T>, twice<avx2_block<T>, T, T>>;
template <class T>
using avx512_blocks = row_blocks<32 / sizeof(T), avx512_block<T, 32 / sizeof(T), 1>, avx512_block<T, 32 / sizeof(T), 2>,
                                 avx512_block<T, 16 / sizeof(T), 1>, avx512_block<T, 16 / sizeof(T), 2>>;

// Registers of bf16's bits and of f32's.
struct avx2_words {
  typedef std::uint16_t halves __attribute__((vector_size(16), aligned(2), may_alias));  // NOLINT: an alias drops the attributes
  typedef std::uint32_t words __attribute__((vector_size(32), aligned(4), may_alias));   // NOLINT
};
struct avx512_words {
  typedef std::uint16_t halves __attribute__((vector_size(32), aligned(2), may_alias));  // NOLINT
  typedef std::uint32_t words __attribute__((vector_size(64), aligned(4), may_alias));   // NOLINT
};

/// bf16 where a processor multiplies f32 alone, in the order and with the bits of f32's kernel: a part of both operands becomes f32 in the
/// first-level cache, the right one's once for all rows.
template <class Blocks, class Registers>
[[gnu::always_inline]] inline void bf16_by_f32(const bfloat16* a, const bfloat16* b, index depth, index height, index width, float* c,
                                               const upcoming& next) {
  using words = typename Registers::words;
  using halves = typename Registers::halves;
  using format = tile<bfloat16>;
  constexpr index most = 4, real_tiles = 2 * most, lanes = sizeof(words) / 4, size = tile<float>::size;  // 24 KiB of f32
  alignas(64) std::uint32_t left[real_tiles * size], right[2 * real_tiles * size];
  const index down = (height + Blocks::rows - 1) / Blocks::rows, parts = std::max<index>(1, (depth + most - 1) / most);
  for (index t = 0; t < parts * most; t += most) {
    const index tiles = std::min(most, depth - t);
    for (index panel = 0; panel < (width > 16 ? 2 : 1); ++panel) {
      const auto* pairs = reinterpret_cast<const four_bytes*>(b + (panel * depth + t) * format::size);
      std::uint32_t* to = right + panel * real_tiles * size;
      for (index i = 0; i < tiles * format::size / 2; i += 16, to += 32) {
#pragma GCC unroll 2
        for (index j = 0; j < 16; j += lanes) {
          const words both = *reinterpret_cast<const words*>(pairs + i + j);
          *reinterpret_cast<words*>(to + j) = both << 16;
          *reinterpret_cast<words*>(to + 16 + j) = both & 0xffff0000U;
        }
      }
    }
    const depth_part part{2 * tiles, real_tiles, t > 0, left};
    const auto fetched = next.in_parts(parts * down, part.tiles);
    for (index i = 0; i < down; ++i) {
      const index row = i * Blocks::rows;
      const std::uint16_t* from = raw(a + (row / 16 * depth + t) * format::size);
      std::uint32_t* to = left;
      // of the numbers of a row that a tile has, 16 go to one tile of f32 and 16 to the next
      for (index n = row % 16 == 0 ? 16 * tiles : 0; n > 0; --n, from += 32, to += n % 16 == 0 ? 16 + size : 16) {
#pragma GCC unroll 4
        for (index j = 0; j < 32; j += lanes) {
          *reinterpret_cast<words*>(to + j / 16 * size + j % 16) =
              __builtin_convertvector(*reinterpret_cast<const halves*>(from + j), words) << 16;
        }
      }
      Blocks::compute(height - row, width, reinterpret_cast<const float*>(left + tile<float>::left(row % 16, 0)),
                      reinterpret_cast<const float*>(right), part, c + row * block_side, fetched[t / most * down + i]);
    }
  }
}
__attribute__((target("avx2,fma"))) inline void avx2_bf16_strip(const bfloat16* a, const bfloat16* b, index depth, index height,
                                                                index width, float* c, const upcoming& next) {
  bf16_by_f32<avx2_blocks<float>, avx2_words>(a, b, depth, height, width, c, next);
}
__attribute__((target("avx512f"))) inline void avx512_bf16_strip(const bfloat16* a, const bfloat16* b, index depth, index height,
                                                                 index width, float* c, const upcoming& next) {
  bf16_by_f32<avx512_blocks<float>, avx512_words>(a, b, depth, height, width, c, next);
}

/// ROWS rows of one or two panels, every pair of a row broadcast.
template <int Rows, int Panels>
__attribute__((target("avx512f,avx512bf16"))) inline void avx512_bf16_block(const bfloat16* a, const bfloat16* b, const depth_part& part,
                                                                            float* c, const upcoming& ahead) {
  upcoming next = ahead;
  using format = tile<bfloat16>;
  const index panel = part.panel * format::size;
  const auto* rows_next = static_cast<const bfloat16*>(part.rows_next);
  block_sums<float, 64, Rows, Panels> sum;
  sum.begin(c, part.more);
  for (index t = 0; t < part.tiles; ++t, a += format::size, b += format::size) {
    const auto* left = reinterpret_cast<const four_bytes*>(a);
    next.fetch();
    fetch_rows<Rows>(rows_next);
#pragma GCC unroll 4
    for (index pair = 0; pair < format::depth / 2; ++pair) {
      __m512bh columns[Panels];
#pragma GCC unroll 2
      for (int j = 0; j < Panels; ++j) columns[j] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + j * panel + pair * 2 * 16));
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) {
        const auto both = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(left[i * format::depth / 2 + pair])));
#pragma GCC unroll 2
        for (int j = 0; j < Panels; ++j) sum.at[i][j] = _mm512_dpbf16_ps(sum.at[i][j], both, columns[j]);
      }
    }
  }
  sum.store(c);
}

inline void amx_bf16_strip(const bfloat16* a, const bfloat16* b, index depth, index height, index width, float* c, const upcoming& next) {
  amx_strip(a, b, depth * tile<bfloat16>::size * index{sizeof(bfloat16)}, depth, height, width, c, next);
}

#elif defined(__aarch64__) && defined(__linux__)

typedef std::uint32_t four_pairs __attribute__((vector_size(16), aligned(4), may_alias));  // NOLINT: an alias drops the attributes

/// Four rows of a panel: products of the pair of each that is lane K of its register. Text, as not all compilers have a function.
template <int K>
[[gnu::always_inline]] inline void neon_bf16_step(const bfloat16* b, const four_pairs* rows, block_sums<float, 16, 4, 1>& sum) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const four_pairs columns = *reinterpret_cast<const four_pairs*>(b + 32 * K + 8 * j);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) asm("bfdot %0.4s, %1.8h, %2.2h[%c3]" : "+w"(sum.at[i][j]) : "w"(columns), "w"(rows[i]), "i"(K));
  }
}
/// Both sums, of a pair's products and with what there was, are rounded to odd, and numbers below 2^-126 are zero.
/// Source: Arm Architecture Reference Manual, BFDOT (by element).
#if defined(__clang__)
__attribute__((target("bf16")))
#else
__attribute__((target("+bf16")))  // added to what the unit is compiled for, with whose functions it is one
#endif
inline void
neon_bf16_block(const bfloat16* a, const bfloat16* b, const depth_part& part, float* c, const upcoming& ahead) {
  upcoming next = ahead;
  using format = tile<bfloat16>;
  block_sums<float, 16, 4, 1> sum;
  sum.begin(c, part.more);
  for (index t = 0; t < part.tiles; ++t, a += format::size) {
    next.fetch();
    for (index k = 0; k < format::depth; k += 8, b += format::right(8, 0)) {
      four_pairs rows[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) rows[i] = *reinterpret_cast<const four_pairs*>(a + format::left(i, k));
      neon_bf16_step<0>(b, rows, sum);
      neon_bf16_step<1>(b, rows, sum);
      neon_bf16_step<2>(b, rows, sum);
      neon_bf16_step<3>(b, rows, sum);
    }
  }
  sum.store(c);
}

#endif

template <class T>
kernel_list<tile_kernel<T, T>> real_kernels() {
  static constexpr kernel_choice<tile_kernel<T, T>> all[] = {
#if defined(__x86_64__)
    {"AVX-512", has_avx512, by_rows<avx512_blocks<T>>},
    {"AVX2", has_avx2_and_fma, by_rows<avx2_blocks<T>>},
#endif
    {"plain code", anywhere, by_rows<row_blocks<2, real_block<16, 2, 1, T>, twice<real_block<16, 2, 1, T>, T, T>>>},
  };
  return all;
}

GRAFT_INLINE kernel_list<tile_kernel<bfloat16, float>> bf16_kernels() {
  static constexpr kernel_choice<tile_kernel<bfloat16, float>> all[] = {
#if defined(__x86_64__)
    {"AMX tiles", anywhere, amx_bf16_strip, tile_path::amx},  // the path vouches for it: tests emulate tiles
    {"AVX-512 BF16", has_avx512_bf16,
     by_rows<row_blocks<8, avx512_bf16_block<8, 1>, avx512_bf16_block<8, 2>, avx512_bf16_block<4, 1>, avx512_bf16_block<4, 2>>>,
     tile_path::avx512},
    {"AVX-512, as f32", has_avx512, avx512_bf16_strip},
    {"AVX2, as f32", has_avx2_and_fma, avx2_bf16_strip},
#elif defined(__aarch64__) && defined(__linux__)
    {"NEON BF16", has_neon_bf16, by_rows<row_blocks<4, neon_bf16_block, twice<neon_bf16_block, bfloat16, float>>>, tile_path::neon},
#endif
    {"plain code", anywhere, by_rows<row_blocks<2, bf16_block<16, 2, 1>, twice<bf16_block<16, 2, 1>, bfloat16, float>>>},
  };
  return all;
}

GRAFT_INLINE tile_unit::tile_unit(tile_path path) : used_(path == tile_path::amx) {
  if (used_) configure_tile_unit();
}
GRAFT_INLINE tile_unit::~tile_unit() {
  if (used_) release_tile_unit();
}

GRAFT_INLINE bool kernel_self_test(tile_path path, float fault) {
  constexpr index tiles = 2, depth = tiles * tile<bfloat16>::depth, panel = tiles * tile<bfloat16>::size;
  matrix<float> a(block_side, depth), b(depth, block_side), c(block_side, block_side);
  for (index i = 0; i < block_side; ++i) {
    for (index k = 0; k < depth; ++k) {
      a(i, k) = static_cast<float>((3 * i + 5 * k) % 7 - 3);
      b(k, i) = static_cast<float>((2 * k + 7 * i) % 9 - 4);
    }
  }
  std::vector<bfloat16> left(2 * panel), right(2 * panel);
  for (const index p : {0, 1}) {
    pack_panel(true, transpose::no, const_view<float>(a), p, left.data() + p * panel);
    pack_panel(false, transpose::no, const_view<float>(b), p, right.data() + p * panel);
  }
  {
    const tile_unit unit(path);
    first_that_runs(bf16_kernels(), path).code(left.data(), right.data(), tiles, block_side, block_side, c.data(), {});
  }
  c(block_side - 1, block_side - 1) += fault;
  return c == a.lazyProduct(b);
}

#if defined(GRAFT_COMPILED)
template kernel_list<tile_kernel<float, float>> real_kernels<float>();
template kernel_list<tile_kernel<double, double>> real_kernels<double>();
#endif

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE const tile_choice& chosen_tile_path() {
  static const tile_choice choice = [] {
    tile_choice c{granted_tile_path(), ""};
    while (c.path != tile_path::portable && !detail::kernel_self_test(c.path)) {
      c.refused += std::string(c.refused.empty() ? "" : ", ") + tile_path_name(c.path);
      const bool amx = c.path == tile_path::amx;
      c.path = amx && detail::has_avx512_bf16() ? tile_path::avx512 : tile_path::portable;
    }
    return c;
  }();
  return choice;
}

}  // namespace graft
