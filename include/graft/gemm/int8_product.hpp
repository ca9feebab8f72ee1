#pragma once
// Products of 8-bit numbers for answering: frozen weights are rounded once, what they multiply as it comes.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "graft/gemm/int8_kernels.hpp"
#include "graft/gemm/product.hpp"

namespace graft {

/// A weight W (O, I) in 8 bits: the right factor of y = x W^T, in panels of 16 outputs.
struct int8_weight {
  const detail::right_tile* tiles;
  index depth, columns;

  /// Where the tiles of panel P begin.
  const detail::right_tile* panel(index p) const { return tiles + p * tile<std::int8_t>::tiles(depth); }
};

/// Rounds W for int8_products, until it is edited:   w = s q with q = round(w / s), s = max |w| / 127 over 64 neighbours of a row.
/// W is frozen. Cost: two passes over it.
template <class T>
void pack_int8_weight(parameter<T>& w, int threads) {
  using format = tile<std::int8_t>;
  const index depth = w.cols(), columns = w.rows(), tiles = format::tiles(depth);
  auto packed = w.memory_for_packing();
  std::byte* memory = packed->int8.take(format::panels(columns) * tiles * static_cast<index>(sizeof(detail::right_tile)));
  auto* all = reinterpret_cast<detail::right_tile*>(memory);
  const const_view<T> value = w.value();
  const auto rounding = detail::int8_rounding<T>();
  parallel_for(format::panels(columns), 4, threads, [&](index begin, index end) {
    for (index i = begin * tiles; i < end * tiles; ++i) {
      const index first = i / tiles * format::side, k = i % tiles * format::depth, n = std::min(format::depth, depth - k);
      detail::right_tile& to = all[i];
      alignas(64) std::int8_t q[format::size] = {};
      for (index c = 0; c < format::side; ++c) {
        to.scale[c] = to.more[c] = 0;
        if (first + c >= columns) continue;
        const T* from = value.row_data(first + c) + k;
        std::int8_t* own = q + c * format::depth;
        std::array<float, 2> range{0, 0};
        rounding.range(from, n, range);
        const float most = std::max(-range[0], range[1]);
        to.scale[c] = most / 127;
        rounding.round(from, n, most > 0 ? 127 / most : 0, 128, reinterpret_cast<std::uint8_t*>(own));
        std::int32_t sum = 0;
        for (index e = 0; e < n; ++e) {
          own[e] = static_cast<std::int8_t>(static_cast<std::uint8_t>(own[e]) - 128);
          sum += own[e];
        }
        to.more[c] = static_cast<float>(sum);
      }
      detail::transpose_units(reinterpret_cast<const detail::four_bytes*>(q), reinterpret_cast<detail::four_bytes*>(to.q));
    }
  });
  w.pack(std::move(packed));
}

/// W as pack_int8_weight rounded it; nothing: it did not.
template <class T>
std::optional<int8_weight> int8_form(const parameter<T>& w) {
  const packed_weight* forms = w.packed();
  if (forms == nullptr || forms->int8.empty()) return std::nullopt;
  return int8_weight{reinterpret_cast<const detail::right_tile*>(forms->int8.data()), w.cols(), w.rows()};
}

namespace detail {

/// Rounds the panels BEGIN .. END - 1 of X to TO:   x = s (q - z), s = (highest - lowest) / 255 over 64 neighbours of a row, 0 among them.
template <class P>
void round_panels(const packed_a<P>& x, left_tile* to, index begin, index end) {
  using from_format = typename packed_a<P>::format;
  using format = tile<std::uint8_t>;
  constexpr index per_tile = format::depth / from_format::depth;
  const index parts = from_format::tiles(x.depth()), tiles = format::tiles(x.depth());
  const auto rounding = int8_rounding<typename P::operand>();
  for (index p = begin; p < end; ++p) {
    const index rows = std::min(format::side, x.rows() - p * format::side);
    for (index t = 0; t < tiles; ++t) {
      left_tile& own = to[p * tiles + t];
      const index first = t * per_tile, n = std::min(per_tile, parts - first);
      for (index r = 0; r < rows; ++r) {
        const auto* from = x.panel(p) + first * from_format::size + from_format::left(r, 0);
        std::array<float, 2> range{0, 0};
        for (index i = 0; i < n; ++i) rounding.range(from + i * from_format::size, from_format::depth, range);
        const float scale = range[1] == range[0] ? 1 : (range[1] - range[0]) / 255;  // no number where there is none
        const std::int32_t zero = std::isfinite(scale) ? nearest(-range[0] / scale) : 0;
        own.scale[r] = scale;
        own.more[r] = static_cast<float>(zero);
        std::uint8_t* q = own.q + format::left(r, 0);
        for (index i = 0; i < n; ++i) {
          rounding.round(from + i * from_format::size, from_format::depth, 1 / scale, zero, q + i * from_format::depth);
        }
        std::fill(q + n * from_format::depth, q + format::depth, std::uint8_t(0));
      }
    }
  }
}

}  // namespace detail

/// As `products` (gemm/product.hpp), y = x W^T, of X rounded to 8 bits: products and sums of 64 neighbours are whole numbers, the same on
/// every processor. A row's numbers depend on that row alone.
/// Source: Dettmers et al. 2022 (LLM.int8), vector-wise scales, here by groups of 64.   Tested: tests/gemm/int8_product_test.cpp
template <class P>
void int8_products(const packed_a<P>& x, std::span<const int8_weight> rights, context& ctx, blocks_function<P> f) {
  using real = typename P::real;
  using format = tile<std::uint8_t>;
  constexpr index side = detail::block_side;
  const timed time(ctx.times, operation::product);
  scratch::mark mark(ctx.memory);
  const index panels = format::panels(x.rows()), tiles = format::tiles(x.depth());
  detail::left_tile* left = ctx.memory.take_array<detail::left_tile>(static_cast<std::size_t>(panels * tiles)).data();
  parallel_for(panels, 4, ctx.threads, [&](index begin, index end) { detail::round_panels(x, left, begin, end); });
  index columns = 0;
  for (const auto& right : rights) columns = std::max(columns, format::panels(right.columns));
  const auto kernel = detail::int8_kernel();
  const auto piece = [&](index which, std::array<index, 2> rows, std::array<index, 2> across) {
    const int8_weight& right = rights[static_cast<std::size_t>(which)];
    const index end = std::min(across[1], format::panels(right.columns));
    alignas(64) float sums[side * side];
    for (index j = across[0]; j < end; j += 2) {
      const index col = j * format::side, width = std::min(side, right.columns - col);
      const detail::upcoming next{reinterpret_cast<const char*>(right.panel(j + 2)),
                                  j + 2 < end ? 2 * tiles * static_cast<index>(sizeof(detail::right_tile)) / 64 : 0};
      for (index i = rows[0]; i < rows[1]; i += 2) {
        const index row = i * format::side, height = std::min(side, x.rows() - row);
        detail::kernel_time watch(ctx.times);
        kernel(left + i * tiles, right.panel(j), tiles, height, width, sums, next.part((i - rows[0]) / 2, (rows[1] - rows[0] + 1) / 2, 0));
        watch.operations = 2 * height * width * x.depth();
        watch.stop();
        if constexpr (std::is_same_v<real, float>) {
          f(which, row, col, view<real>(sums, height, width, side));
        } else {
          matrix<real> block = const_view<float>(sums, height, width, side).template cast<real>();
          f(which, row, col, block);
        }
      }
    }
  };
  detail::partition(panels, columns, tiles * static_cast<index>(sizeof(detail::right_tile)), std::ssize(rights), tile_path::portable, ctx,
                    piece);
}

}  // namespace graft
