#pragma once
// How the operands of a product lie in memory: in tiles of 1 KiB, which kernels read from one end to the other.

#include <algorithm>
#include <cstdint>

#include "graft/core/bfloat16.hpp"
#include "graft/core/types.hpp"

namespace graft {

/// Whether an operand is read as it stands, op(A) = A, or transposed, op(A) = A^T.
enum class transpose : std::uint8_t { no, yes };

/// A tile holds 16 rows of a left operand, or 16 columns of a right one, and is 64 bytes of T deep. The tiles of a panel, 16 rows or
/// columns and all of the depth, follow each other; what an operand lacks is zero.
///   left:   element (r, k) at depth r + k
///   right:  element (k, c) at 16 k + c; bf16: at 32 (k / 2) + 2 c + k % 2, 8 bits: at 64 (k / 4) + 4 c + k % 4, as the
///           processors' instructions want it
/// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, TDPBF16PS and VDPBF16PS.   Tested: tests/gemm/product_test.cpp
template <class T>
struct tile {
  static constexpr index side = 16;
  static constexpr index depth = 64 / static_cast<index>(sizeof(T));
  static constexpr index size = side * depth;

  /// Panels of N rows or columns, tiles of a depth of K, and where in a tile an element lies.
  static constexpr index panels(index n) { return (n + side - 1) / side; }
  static constexpr index tiles(index k) { return (k + depth - 1) / depth; }
  static constexpr index left(index r, index k) { return depth * r + k; }
  static constexpr index right(index k, index c) {
    if constexpr (sizeof(T) == 1) return 4 * side * (k / 4) + 4 * c + k % 4;
    if constexpr (sizeof(T) == 2) return 2 * side * (k / 2) + 2 * c + k % 2;
    return side * k + c;
  }
};

namespace detail {

/// Rows, and columns, of the blocks that kernels compute.
inline constexpr index block_side = 32;

/// 16 numbers, or pairs of bf16, of 4 bytes each.
typedef std::uint32_t four_bytes __attribute__((may_alias));                                  // NOLINT: aliases drop attributes
typedef std::uint32_t sixteen_units __attribute__((vector_size(64), aligned(4), may_alias));  // NOLINT

/// to (16, 16) = the transpose of from; neither the same memory.
void transpose_units(const four_bytes* from, four_bytes* to);
/// The same on any processor, in blocks of 4 x 4.
void transpose_blocks(const four_bytes* from, four_bytes* to);

/// pairs (16 pairs, 16) = rows 0 and 1, 2 and 3, ... of SOURCE (32, 16) side by side.
template <class S>
void pair_rows(const S* source, index stride, four_bytes* pairs) {
  for (index k = 0; k < 32; k += 2, pairs += 16) {
    bfloat16 even[16], odd[16];
    convert<16>(source + k * stride, even);
    convert<16>(source + (k + 1) * stride, odd);
    const std::uint16_t *first = raw(even), *second = raw(odd);
#pragma omp simd
    for (index c = 0; c < 16; ++c) pairs[c] = static_cast<std::uint32_t>(first[c]) | static_cast<std::uint32_t>(second[c]) << 16;
  }
}

/// A whole tile that is transposed on the way: of a left operand (depth, 16) -> (16, depth), of a right one (16, depth) -> (depth, 16).
template <class T, class S>
void pack_transposed(const S* source, index stride, bool left, T* out) {
  using format = tile<T>;
  alignas(64) T source_tile[format::size];
  const index n = left ? format::side : format::depth;
  if constexpr (sizeof(T) == 2) {
    if (left) pair_rows(source, stride, reinterpret_cast<four_bytes*>(source_tile));
  }
  for (index i = 0; (sizeof(T) != 2 || !left) && i < format::size / n; ++i) convert(source + i * stride, source_tile + i * n, n);
  if constexpr (sizeof(T) == 8) {
    const index rows = left ? format::depth : format::side, cols = format::size / rows;
    for (index i = 0; i < cols; ++i) {
      for (index k = 0; k < rows; ++k) out[i * rows + k] = source_tile[k * cols + i];
    }
  } else {
    transpose_units(reinterpret_cast<const four_bytes*>(source_tile), reinterpret_cast<four_bytes*>(out));
  }
}

/// The whole tile that begins at SOURCE.
template <class T, class S>
void pack_whole_tile(bool left, transpose op, const S* source, index stride, T* out) {
  using format = tile<T>;
  if (op == transpose::yes) {
    pack_transposed(source, stride, left, out);
  } else if (left) {
    for (index r = 0; r < format::side; ++r) convert<format::depth>(source + r * stride, out + format::left(r, 0));
  } else if constexpr (sizeof(T) == 2) {
    pair_rows(source, stride, reinterpret_cast<four_bytes*>(out));
  } else {
    for (index k = 0; k < format::depth; ++k) convert<format::side>(source + k * stride, out + format::right(k, 0));
  }
}

/// The tile that begins at SOURCE, of which there are LENGTH (<= 16) rows or columns of the operand, REACH (<= depth) deep.
template <class T, class S>
void pack_tile(bool left, transpose op, const S* source, index stride, index length, index reach, T* out) {
  using format = tile<T>;
  if (length == format::side && reach == format::depth) return pack_whole_tile(left, op, source, stride, out);
  const bool rows_go_deep = left == (op == transpose::no);
  const index rows = rows_go_deep ? length : reach, columns = rows_go_deep ? reach : length;
  const index width = rows_go_deep ? format::depth : format::side;
  alignas(64) S whole[format::size] = {};
  for (index r = 0; r < rows; ++r) std::copy(source + r * stride, source + r * stride + columns, whole + r * width);
  pack_whole_tile(left, op, whole, width, out);
}

}  // namespace detail

/// Panel P of the left operand op(SOURCE) (N, K), or, not LEFT, of the right operand op(SOURCE) (K, N), into OUT.
template <class T, class S>
void pack_panel(bool left, transpose op, const const_view<S>& source, index p, T* out) {
  using format = tile<T>;
  const bool rows_go_deep = left == (op == transpose::no);
  const index n = rows_go_deep ? source.rows() : source.cols();
  const index k = rows_go_deep ? source.cols() : source.rows();
  const index first = p * format::side;
  for (index t = 0; t < k; t += format::depth, out += format::size) {
    const S* begin = rows_go_deep ? source.row_data(first) + t : source.row_data(t) + first;
    detail::pack_tile(left, op, begin, source.stride(), std::min(format::side, n - first), std::min(format::depth, k - t), out);
  }
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/gemm/tiles-inl.hpp"  // IWYU pragma: export
#endif
