#pragma once
// How the factors of a product lie in memory: in tiles of 1 KiB, which kernels read from one end to the other.

#include <algorithm>
#include <cstdint>

#include "graft/core/bfloat16.hpp"
#include "graft/core/types.hpp"

namespace graft {

enum class as : std::uint8_t { is, transposed };

/// A tile holds 16 rows of a left factor, or 16 columns of a right one, and is 64 bytes of T deep. The tiles of a panel, 16 rows or
/// columns and all of the depth, follow each other; what a factor lacks is zero.
///   left:   element (r, k) at depth r + k
///   right:  element (k, c) at 16 k + c; bf16: at 32 (k / 2) + 2 c + k % 2, pairs side by side, as the processors' instructions want it
/// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, TDPBF16PS and VDPBF16PS.   Tested: tests/gemm/tiles_test.cpp
template <class T>
struct tile {
  static constexpr index side = 16;
  static constexpr index depth = 64 / static_cast<index>(sizeof(T));
  static constexpr index size = side * depth;

  static constexpr index panels(index n) { return (n + side - 1) / side; }
  static constexpr index tiles(index k) { return (k + depth - 1) / depth; }
  static constexpr index left(index r, index k) { return depth * r + k; }
  static constexpr index right(index k, index c) {
    if constexpr (sizeof(T) == 2) return 2 * side * (k / 2) + 2 * c + k % 2;
    return side * k + c;
  }
};

namespace detail {

/// The part of SOURCE that is element (0, 0) of a tile and on: LENGTH (<= 16) rows or columns of the factor, REACH (<= depth) deep.
/// `along` elements lie between neighbors of one row or column, `across` between rows or columns.
template <class T, class S>
void pack_tile_left(as op, const S* source, index stride, index length, index reach, T* out) {
  using format = tile<T>;
  if (length < format::side || reach < format::depth) std::fill(out, out + format::size, T(0));
  if (op == as::is) {
    for (index r = 0; r < length; ++r) convert(source + r * stride, out + format::left(r, 0), reach);
    return;
  }
  T rows[format::depth][format::side];
  for (index k = 0; k < reach; ++k) convert(source + k * stride, rows[k], length);
  for (index r = 0; r < length; ++r) {
    for (index k = 0; k < reach; ++k) out[format::left(r, k)] = rows[k][r];
  }
}

template <class T, class S>
void pack_tile_right(as op, const S* source, index stride, index length, index reach, T* out) {
  using format = tile<T>;
  if (length < format::side || reach < format::depth) std::fill(out, out + format::size, T(0));
  if (op == as::transposed) {
    T columns[format::side][format::depth];
    for (index c = 0; c < length; ++c) convert(source + c * stride, columns[c], reach);
    if constexpr (sizeof(T) == 2) {
      if (reach == format::depth && length == format::side) {
        auto* pairs = reinterpret_cast<std::uint32_t*>(out);
        for (index k = 0; k < format::depth / 2; ++k) {
          for (index c = 0; c < format::side; ++c) std::memcpy(pairs + k * format::side + c, &columns[c][2 * k], sizeof(std::uint32_t));
        }
        return;
      }
    }
    for (index k = 0; k < reach; ++k) {
      for (index c = 0; c < length; ++c) out[format::right(k, c)] = columns[c][k];
    }
    return;
  }
  if constexpr (sizeof(T) == 2) {
    T even[format::side]{}, odd[format::side]{};
    for (index k = 0; k < reach; k += 2) {
      convert(source + k * stride, even, length);
      if (k + 1 < reach)
        convert(source + (k + 1) * stride, odd, length);
      else
        std::fill(odd, odd + format::side, T(0));
      auto* pairs = raw(out + format::right(k, 0));
      const std::uint16_t *first = raw(even), *second = raw(odd);
#pragma omp simd
      for (index c = 0; c < format::side; ++c) {
        pairs[2 * c] = first[c];
        pairs[2 * c + 1] = second[c];
      }
    }
  } else {
    for (index k = 0; k < reach; ++k) convert(source + k * stride, out + format::right(k, 0), length);
  }
}

}  // namespace detail

/// Panel P of the left factor op(SOURCE) (N, K), into OUT.
template <class T, class S>
void pack_left_panel(as op, const const_view<S>& source, index p, T* out) {
  using format = tile<T>;
  const index n = op == as::is ? source.rows() : source.cols();
  const index k = op == as::is ? source.cols() : source.rows();
  const index first = p * format::side;
  for (index t = 0; t < k; t += format::depth, out += format::size) {
    const S* begin = op == as::is ? source.row_data(first) + t : source.row_data(t) + first;
    detail::pack_tile_left(op, begin, source.stride(), std::min(format::side, n - first), std::min(format::depth, k - t), out);
  }
}

/// Panel P of the right factor op(SOURCE) (K, N), into OUT.
template <class T, class S>
void pack_right_panel(as op, const const_view<S>& source, index p, T* out) {
  using format = tile<T>;
  const index n = op == as::is ? source.cols() : source.rows();
  const index k = op == as::is ? source.rows() : source.cols();
  const index first = p * format::side;
  for (index t = 0; t < k; t += format::depth, out += format::size) {
    const S* begin = op == as::is ? source.row_data(t) + first : source.row_data(first) + t;
    detail::pack_tile_right(op, begin, source.stride(), std::min(format::side, n - first), std::min(format::depth, k - t), out);
  }
}

}  // namespace graft
