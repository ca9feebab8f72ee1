#pragma once
// Bodies of graft/gemm/tiles.hpp.

#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/cpu.hpp"
#include "graft/gemm/tiles.hpp"

namespace graft::detail {

/// Swaps the blocks of D x D units beside the diagonal; C: 0 .. 15.
template <std::uint32_t D, std::uint32_t... C>
[[gnu::always_inline]] inline void swap_blocks(sixteen_units* row, std::integer_sequence<std::uint32_t, C...>) {
#pragma GCC unroll 16
  for (std::uint32_t i = 0; i < 16; ++i) {
    if ((i & D) != 0) continue;
    const sixteen_units a = row[i], b = row[i + D];
    row[i] = __builtin_shufflevector(a, b, ((C & D) != 0 ? 16 + C - D : C)...);
    row[i + D] = __builtin_shufflevector(a, b, ((C & D) != 0 ? 16 + C : C + D)...);
  }
}

/// transpose_units in sixteen registers.
[[gnu::always_inline]] inline void transpose_rows(const four_bytes* from, four_bytes* to) {
  constexpr auto all = std::make_integer_sequence<std::uint32_t, 16>();
  sixteen_units row[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) row[i] = *reinterpret_cast<const sixteen_units*>(from + 16 * i);
  swap_blocks<8>(row, all);
  swap_blocks<4>(row, all);
  swap_blocks<2>(row, all);
  swap_blocks<1>(row, all);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) *reinterpret_cast<sixteen_units*>(to + 16 * i) = row[i];
}
#if defined(__x86_64__)
__attribute__((target("avx512f"))) inline void transpose_rows_avx512(const four_bytes* from, four_bytes* to) { transpose_rows(from, to); }
#endif

GRAFT_INLINE void transpose_blocks(const four_bytes* from, four_bytes* to) {
  typedef std::uint32_t four_units __attribute__((vector_size(16), aligned(4), may_alias));  // NOLINT: an alias drops the attributes
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 16; j += 4) {
      const auto row = [&](int r) { return *reinterpret_cast<const four_units*>(from + 16 * (j + r) + i); };
      const four_units a = row(0), b = row(1), c = row(2), d = row(3);
      const four_units ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_end = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const four_units cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_end = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      const auto put = [&](int r, four_units x) { *reinterpret_cast<four_units*>(to + 16 * (i + r) + j) = x; };
      put(0, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
      put(1, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
      put(2, __builtin_shufflevector(ab_end, cd_end, 0, 1, 4, 5));
      put(3, __builtin_shufflevector(ab_end, cd_end, 2, 3, 6, 7));
    }
  }
}

GRAFT_INLINE void transpose_units(const four_bytes* from, four_bytes* to) {
#if defined(__x86_64__)
  if (has_avx512()) return transpose_rows_avx512(from, to);
#endif
  transpose_blocks(from, to);
}

}  // namespace graft::detail
