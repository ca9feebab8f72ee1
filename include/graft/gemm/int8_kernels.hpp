#pragma once
// Tiles of 8-bit numbers: how rows are turned, rounded and multiplied, for several processors; one is chosen at run time.

#include <array>
#include <cstdint>
#include <span>

#include "graft/gemm/tile_kernels.hpp"

namespace graft::detail {

/// Rows are turned before they are rounded, 128 neighbors x at a time:   x' = x D H, D fixed signs, H the Hadamard matrix, H H^T = 128 I.
/// So products of turned rows are 128 times those of the rows, and a number that is far larger than its neighbors is spread among them:
/// one scale fits the whole row.
/// Source: Ashkboos et al. 2024 (QuaRot).
inline constexpr index turned = 128;

/// D, of no pattern that rows could share.
constexpr std::array<float, turned> signs_of_turn() {
  std::array<float, turned> signs{};
  std::uint64_t bits = 0x9e3779b97f4a7c15U;
  for (index i = 0; i < turned; ++i, bits = i == 64 ? 0xbf58476d1ce4e5b9U : bits >> 1)
    signs[static_cast<std::size_t>(i)] = (bits & 1) != 0 ? -1.0F : 1.0F;
  return signs;
}
alignas(64) inline constexpr std::array<float, turned> turn_signs = signs_of_turn();

/// Tiles (gemm/tiles.hpp) of rows of DEPTH numbers, which are filled up with zeros to whole blocks.
constexpr index int8_tiles(index depth) { return (depth + turned - 1) / turned * (turned / tile<std::uint8_t>::depth); }

/// What stands behind the tiles of a panel of a right operand, of each column:   w' = 128 scale q, q in -127 .. 127; start = -128 sum q.
struct int8_columns {
  float scale[16];
  std::int32_t start[16];
};
constexpr index int8_panel_bytes(index tiles) { return tiles * tile<std::int8_t>::size + static_cast<index>(sizeof(int8_columns)); }

/// A row of N numbers, which lie in segments of SEGMENT, a power of two up to 64, that begin STRIDE numbers apart.
template <class T>
struct segmented_row {
  const T* data;
  index n, segment, stride;

  const T* at(index i) const { return data + i / segment * stride + i % segment; }
};

/// Turns X in WORK, which has room for whole blocks, and rounds it by one scale:   x' = scale q, q in -127 .. 127, of which TO gets q +
/// 128, 64 numbers of a tile side by side, the next tile's 1 KiB behind them, in an order that is the same for all rows. Returns the scale,
/// no number where one of X is none, so that no answer hides it.
template <class T>
using row_rounding = float (*)(const segmented_row<T>& x, float* work, std::uint8_t* to, index to_next);

template <class T>
float plain_round_row(const segmented_row<T>& x, float* work, std::uint8_t* to, index to_next);

/// All are as plain_round_row.
template <class T>
kernel_list<row_rounding<T>> int8_roundings();

/// A kernel computes c (most_rows, 32) for the first HEIGHT x WIDTH of its numbers, of DEPTH tiles; what lies around them in C may be
/// written, too:   c_ro = s_r s_o sum_k q_rk q_ok + BIAS_o, where the sum is a whole number. A: tiles of q + 128, q in -127 .. 127; SCALE:
/// of its rows; B: as int8_columns says; BIAS: 32 numbers.
using int8_kernel_code = void(const std::uint8_t* a, const float* scale, const std::byte* b, const float* bias, index depth, index height,
                              index width, float* c, const upcoming& next);

int8_kernel_code plain_int8_kernel;
#if defined(__x86_64__)
int8_kernel_code amx_int8_kernel;  // for threads that hold tile_path::amx's unit
#endif
/// All are as plain_int8_kernel.
kernel_list<int8_kernel_code*> int8_kernels();

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/gemm/int8_kernels-inl.hpp"  // IWYU pragma: export
#endif
