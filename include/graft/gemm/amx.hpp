#pragma once
// The matrix tiles of AMX: how a thread gets them ready, and a block of a product in them. For the kernels of gemm/ alone.

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "graft/core/bfloat16.hpp"
#include "graft/gemm/tiles.hpp"

namespace graft::detail {

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

/// C (16 ROWS, 16 COLUMNS), rows of block_side, = a b, of DEPTH tiles of bf16, in f32, or of bytes, unsigned by signed ones, in whole
/// numbers of 32 bits. Tiles 0 .. 3 hold the sums, 4 and 5 the left factor, 6 and 7 the right one, whose panels are PANEL bytes apart; four
/// loads feed four products.
template <int Rows, int Columns, class T, class Sum>
__attribute__((target("amx-tile,amx-bf16,amx-int8"))) void amx_block(const T* a, const void* b, index panel, index depth, Sum* c) {
  constexpr int line = 64;  // bytes from one row of a tile to the next
  constexpr int row = block_side * sizeof(Sum);
  constexpr index size = tile<T>::size;
  const index left = depth * size;
  const auto* right = static_cast<const std::byte*>(b);
  constexpr bool real = std::is_same_v<T, bfloat16>;
  asm volatile("" : : : "memory");  // GCC does not know that the loads below read what was packed above
  _tile_zero(0);
  if constexpr (Columns == 2) _tile_zero(1);
  if constexpr (Rows == 2) _tile_zero(2);
  if constexpr (Rows == 2 && Columns == 2) _tile_zero(3);
  for (index t = 0; t < depth; ++t, a += size, right += 16 * line) {
    _tile_loadd(4, a, line);
    _tile_loadd(6, right, line);
    if constexpr (real) _tile_dpbf16ps(0, 4, 6);
    if constexpr (!real) _tile_dpbusd(0, 4, 6);
    if constexpr (Columns == 2) {
      _tile_loadd(7, right + panel, line);
      if constexpr (real) _tile_dpbf16ps(1, 4, 7);
      if constexpr (!real) _tile_dpbusd(1, 4, 7);
    }
    if constexpr (Rows == 2) {
      _tile_loadd(5, a + left, line);
      if constexpr (real) _tile_dpbf16ps(2, 5, 6);
      if constexpr (!real) _tile_dpbusd(2, 5, 6);
    }
    if constexpr (Rows == 2 && Columns == 2 && real) _tile_dpbf16ps(3, 5, 7);
    if constexpr (Rows == 2 && Columns == 2 && !real) _tile_dpbusd(3, 5, 7);
  }
  _tile_stored(0, c, row);
  if constexpr (Columns == 2) _tile_stored(1, c + 16, row);
  if constexpr (Rows == 2) _tile_stored(2, c + 16 * block_side, row);
  if constexpr (Rows == 2 && Columns == 2) _tile_stored(3, c + 16 * block_side + 16, row);
  asm volatile("" : : : "memory");  // nor that they write C
}
/// As many of the four tiles of C as HEIGHT rows and WIDTH columns need.
template <class T, class Sum>
void amx_sums(const T* a, const void* b, index panel, index depth, index height, index width, Sum* c) {
  const auto block = height > 16 ? (width > 16 ? amx_block<2, 2, T, Sum> : amx_block<2, 1, T, Sum>)
                                 : (width > 16 ? amx_block<1, 2, T, Sum> : amx_block<1, 1, T, Sum>);
  block(a, b, panel, depth, c);
}

}  // namespace graft::detail

#endif
