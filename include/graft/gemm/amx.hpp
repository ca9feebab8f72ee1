#pragma once
// The matrix tiles of AMX: how a thread gets them ready, and a block of a product in them. For the kernels of gemm/ alone.

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "graft/core/bfloat16.hpp"
#include "graft/gemm/tiles.hpp"
#include "graft/gemm/upcoming.hpp"

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

/// Asks for a tile's sixteen lines of 64 bytes, AT on.
[[gnu::always_inline]] inline void fetch_tile(const std::byte* at) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) __builtin_prefetch(at + index{64} * i);
}

/// C (16 ROWS, 16 COLUMNS), rows of block_side, = a b, or where ADD += a b, of DEPTH tiles of bf16, in f32, or of bytes, unsigned by signed
/// ones, in whole numbers of 32 bits. Tiles 0 .. 3 hold the sums, 4 and 5 the left operand, whose panels are LEFT bytes apart, 6 and 7 the
/// right one, RIGHT bytes apart; four loads feed four products, while the tiles behind them are fetched: next to a busy neighbor in the
/// same core the processor does not look that far ahead.
template <int Rows, int Columns, class T, class Sum>
__attribute__((target("amx-tile,amx-bf16,amx-int8"))) void amx_block(const std::byte* a, index left, const std::byte* b, index right,
                                                                     index depth, bool add, Sum* c, upcoming& next) {
  constexpr int line = 64, size = 16 * line;  // bytes from one row of a tile to the next, and of a tile
  constexpr int row = block_side * sizeof(Sum);
  constexpr index below = 16 * block_side;
  constexpr bool real = std::is_same_v<T, bfloat16>, two_rows = Rows == 2, two_columns = Columns == 2, four = two_rows && two_columns;
  asm volatile("" : : : "memory");  // GCC does not know that the loads below read what was packed above
  if (add) {
    _tile_loadd(0, c, row);
    if constexpr (two_columns) _tile_loadd(1, c + 16, row);
    if constexpr (two_rows) _tile_loadd(2, c + below, row);
    if constexpr (four) _tile_loadd(3, c + below + 16, row);
  } else {
    _tile_zero(0);
    if constexpr (two_columns) _tile_zero(1);
    if constexpr (two_rows) _tile_zero(2);
    if constexpr (four) _tile_zero(3);
  }
  for (index t = 0; t < depth; ++t, a += size, b += size) {
    next.fetch();
    _tile_loadd(4, a, line);
    _tile_loadd(6, b, line);
    fetch_tile(a + size);
    fetch_tile(b + size);
    if constexpr (real) _tile_dpbf16ps(0, 4, 6);
    if constexpr (!real) _tile_dpbusd(0, 4, 6);
    if constexpr (two_columns) {
      _tile_loadd(7, b + right, line);
      fetch_tile(b + right + size);
      if constexpr (real) _tile_dpbf16ps(1, 4, 7);
      if constexpr (!real) _tile_dpbusd(1, 4, 7);
    }
    if constexpr (two_rows) {
      _tile_loadd(5, a + left, line);
      fetch_tile(a + left + size);
      if constexpr (real) _tile_dpbf16ps(2, 5, 6);
      if constexpr (!real) _tile_dpbusd(2, 5, 6);
    }
    if constexpr (four && real) _tile_dpbf16ps(3, 5, 7);
    if constexpr (four && !real) _tile_dpbusd(3, 5, 7);
  }
  _tile_stored(0, c, row);
  if constexpr (two_columns) _tile_stored(1, c + 16, row);
  if constexpr (two_rows) _tile_stored(2, c + below, row);
  if constexpr (four) _tile_stored(3, c + below + 16, row);
  asm volatile("" : : : "memory");  // nor that they write C
}
/// C (HEIGHT, 32) = a b, as many of its tiles as HEIGHT rows and WIDTH columns need. The depth goes by in parts so short that those of the
/// two panels of B stay in the first-level cache while all rows of A pass: read from the second level, they keep the tile unit waiting.
template <class T, class Sum>
void amx_strip(const T* a, const void* b, index right, index depth, index height, index width, Sum* c, const upcoming& ahead) {
  constexpr index part = 8, size = 1024;
  const index left = depth * size, blocks = (height + block_side - 1) / block_side, steps = std::max<index>(1, blocks * depth);
  upcoming next{ahead.from, ahead.lines, (ahead.lines + steps - 1) / steps};
  const auto* first_a = reinterpret_cast<const std::byte*>(a);
  const auto* first_b = static_cast<const std::byte*>(b);
  for (index t = 0; t == 0 || t < depth; t += part) {
    for (index row = 0; row < height; row += block_side) {
      const bool two_rows = height - row > 16;
      const auto block = two_rows ? (width > 16 ? amx_block<2, 2, T, Sum> : amx_block<2, 1, T, Sum>)
                                  : (width > 16 ? amx_block<1, 2, T, Sum> : amx_block<1, 1, T, Sum>);
      block(first_a + row / 16 * left + t * size, left, first_b + t * size, right, std::min(part, depth - t), t > 0, c + row * block_side,
            next);
    }
  }
}

}  // namespace graft::detail

#else

namespace graft::detail {

inline void configure_tile_unit() {}
inline void release_tile_unit() {}

}  // namespace graft::detail

#endif
