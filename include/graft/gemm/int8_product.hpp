#pragma once
// Products of 8-bit numbers: frozen weights are rounded once, what they multiply as it comes.

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>

#include "graft/gemm/int8_kernels.hpp"
#include "graft/gemm/product.hpp"

namespace graft {

/// A weight W (O, I) in 8 bits: the right operand of y = x W^T, in panels of 16 outputs.
struct int8_weight {
  const std::byte* panels;
  index depth, columns;
  const float* bias = nullptr;  // is added to y, if there is one

  /// Bytes of a panel.
  static index panel_bytes(index depth) { return detail::int8_panel_bytes(detail::int8_tiles(depth)); }
  /// Bytes of memory that one needs.
  static index bytes(index depth, index columns) { return tile<std::int8_t>::panels(columns) * panel_bytes(depth); }
  /// Where the tiles of panel P begin.
  const std::byte* panel(index p) const { return panels + p * panel_bytes(depth); }
};

/// Rounds W for int8_products, until it is edited:   w' = s q with q = round(w' / s), s = max |w'| / 127 over a row w' = w D H, turned as
/// detail::turned says. W is frozen; PACKED: other forms that go along. Cost: two passes over it.
template <class T>
void pack_int8_weight(parameter<T>& w, int threads, std::shared_ptr<packed_weight> packed = std::make_shared<packed_weight>()) {
  using format = tile<std::int8_t>;
  const index depth = w.cols(), columns = w.rows(), tiles = detail::int8_tiles(depth), panel = int8_weight::panel_bytes(depth);
  std::byte* memory = packed->int8.take(int8_weight::bytes(depth, columns));
  const const_view<T> value = w.value();
  const auto round = detail::first_that_runs(detail::int8_roundings<T>()).code;
  parallel_for(format::panels(columns), 4, threads, [&](index begin, index end) {
    buffer<float> work;
    buffer<std::uint8_t> rows;  // tile by tile, as a left operand
    float* turned = work.resize(1, tiles * format::depth).data();
    std::uint8_t* q = rows.resize(tiles, format::size).data();
    for (index p = begin; p < end; ++p) {
      std::byte* panel_memory = memory + p * panel;
      auto& behind = *reinterpret_cast<detail::int8_columns*>(panel_memory + tiles * format::size);
      std::fill(q, q + tiles * format::size, std::uint8_t(128));
      for (index c = 0; c < format::side; ++c) {
        const index column = p * format::side + c;
        behind.scale[c] = 0;
        behind.start[c] = 0;
        if (column >= columns) continue;
        std::uint8_t* row = q + c * format::depth;
        behind.scale[c] = round({value.row_data(column), depth, format::depth, format::depth}, turned, row, format::size) / detail::turned;
        for (index t = 0; t < tiles; ++t) {
          for (index k = 0; k < format::depth; ++k) behind.start[c] -= 128 * (row[t * format::size + k] - 128);
        }
      }
      for (index i = 0; i < tiles * format::size; ++i) q[i] = static_cast<std::uint8_t>(q[i] ^ 128U);  // q + 128 -> q
      for (index t = 0; t < tiles; ++t) {
        detail::transpose_units(reinterpret_cast<const detail::four_bytes*>(q + t * format::size),
                                reinterpret_cast<detail::four_bytes*>(panel_memory + t * format::size));
      }
    }
  });
  w.pack(std::move(packed));
}

/// W as pack_int8_weight rounded it; nothing: it did not.
template <class T>
std::optional<int8_weight> int8_form(const parameter<T>& w) {
  if (w.packed() == nullptr || w.packed()->int8.empty()) return std::nullopt;
  return int8_weight{w.packed()->int8.data(), w.cols(), w.rows()};
}

/// The left operand of int8_products, rounded, in scratch memory: rows x of a matrix, or of an operand of other products,   x' = s (q -
/// 128), s = max |x'| / 127 over a row, turned. A row's numbers depend on that row alone.
struct int8_rows {
  const std::uint8_t* q;
  const float* scale;
  index rows, depth;

  /// Rows X, turned and rounded.
  template <class M>
  static int8_rows of(const M& x, context& ctx) {
    using T = typename M::Scalar;
    return round<T>(x.rows(), x.cols(), ctx, [&](index r) { return detail::segmented_row<T>{x.row_data(r), x.cols(), 64, 64}; });
  }
  /// The same of rows that other products read.
  template <class P>
  static int8_rows of(const packed_a<P>& x, context& ctx) {
    using from = typename packed_a<P>::format;
    using operand = typename P::operand;
    return round<operand>(x.rows(), x.depth(), ctx, [&](index r) {
      return detail::segmented_row<operand>{x.panel(r / from::side) + from::left(r % from::side, 0), x.depth(), from::depth, from::size};
    });
  }

 private:
  template <class T, class F>
  static int8_rows round(index rows, index depth, context& ctx, F&& row) {
    using format = tile<std::uint8_t>;
    const timed time(ctx.times, operation::packing);
    const index tiles = detail::int8_tiles(depth), panels = format::panels(rows);
    std::uint8_t* q = ctx.memory.take<std::uint8_t>(panels, tiles * format::size).data();
    float* scale = ctx.memory.take<float>(panels, format::side).data();
    scratch::mark mark(ctx.memory);
    view<float> work = ctx.memory.take_rows<float>(ctx.threads, tiles * format::depth);
    const auto round_row = detail::first_that_runs(detail::int8_roundings<T>()).code;
    parallel_for(rows, 4, ctx.threads, [&](index begin, index end) {
      float* thread_work = work.row_data(omp_get_thread_num());
      for (index r = begin; r < end; ++r) {
        scale[r] =
            round_row(row(r), thread_work, q + r / format::side * tiles * format::size + format::left(r % format::side, 0), format::size);
      }
    });
    return {q, scale, rows, depth};
  }
};

/// As `products` (gemm/product.hpp), y = x W^T + bias, of rows in 8 bits: sums of products are whole numbers, the same on every processor.
/// Source: Dettmers et al. 2022 (LLM.int8), vector-wise scales.   Tested: tests/gemm/int8_product_test.cpp
template <class P>
void int8_products(const int8_rows& x, std::span<const int8_weight> rights, context& ctx, blocks_function<P> f) {
  using real = typename P::real;
  using format = tile<std::uint8_t>;
  const timed time(ctx.times, operation::product);
  const index tiles = detail::int8_tiles(x.depth), panel_bytes = int8_weight::panel_bytes(x.depth);
  index columns = 0;
  for (const auto& right : rights) columns = std::max(columns, format::panels(right.columns));
  const tile_path path = detail::path_of<bf16>(ctx);
  const auto kernel = detail::first_that_runs(detail::int8_kernels(), path).code;
  const index high = path == tile_path::amx ? detail::most_rows : detail::block_side;
  const auto part = [&](index which, std::array<index, 2> row_panels, std::array<index, 2> column_panels) {
    const int8_weight& right = rights[static_cast<std::size_t>(which)];
    const auto compute = [&](index row, index j, index height, index width, float* strip, const auto& next) {
      alignas(64) float bias[detail::block_side] = {};
      if (right.bias != nullptr) std::copy_n(right.bias + j * format::side, width, bias);
      kernel(x.q + row / format::side * tiles * format::size, x.scale + row, right.panel(j), bias, tiles, height, width, strip,
             next(right.panel(j), panel_bytes));
      return x.depth;
    };
    detail::for_each_block<float>({x.rows, right.columns}, row_panels, column_panels, high, ctx.times, compute,
                                  [&](index row, index col, view<float>& block) {
                                    if constexpr (std::is_same_v<real, float>) {
                                      f(which, row, col, block);
                                    } else {
                                      matrix<real> converted = block.template cast<real>();
                                      view<real> all(converted);
                                      f(which, row, col, all);
                                    }
                                  });
  };
  detail::partition(format::panels(x.rows), columns, panel_bytes, std::ssize(rights), path, ctx, part);
}

}  // namespace graft
