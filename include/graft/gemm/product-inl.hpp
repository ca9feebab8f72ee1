#pragma once
// Bodies of graft/gemm/product.hpp.

#include <algorithm>
#include <array>
#include <span>

#include "graft/gemm/product.hpp"

namespace graft {

template <class P>
void detail::blocks(std::span<const packed_a<P>> lefts, std::span<const packed_b<P>> rights, std::array<index, 2> rows,
                    std::array<index, 2> columns, tile_path path, profile* times, block_function<P> f) {
  using real = typename P::real;
  using format = typename packed_a<P>::format;
  const auto kernel = kernel_of<P>(path);
  const auto compute = [&](index row, index j, index height, index width, real* strip, const auto& next) {
    alignas(64) real term[most_rows * block_side];
    index depth = 0;
    for (std::size_t t = 0; t < lefts.size(); ++t) {
      const packed_b<P>& right = rights[t];
      kernel(lefts[t].panel(row / format::side), right.panel(j), format::tiles(right.depth()), height, width, t == 0 ? strip : term,
             next(right.panel(j), packed_b<P>::panel_bytes(right.depth())));
      depth += right.depth();
      if (t == 0) continue;
#pragma omp simd
      for (index n = 0; n < height * block_side; ++n) strip[n] += term[n];
    }
    return depth;
  };
  for_each_block<real>({lefts[0].rows(), rights[0].columns()}, rows, columns, most_rows, times, compute, f);
}

template <class P>
void products(std::span<const packed_a<P>> lefts, std::span<const packed_b<P>> rights, context& ctx, blocks_function<P> f) {
  const timed time(ctx.times, operation::product);
  using format = typename packed_a<P>::format;
  index columns = 0, depth = 0;
  for (const auto& right : rights) columns = std::max(columns, format::panels(right.columns()));
  for (const auto& left : lefts) depth += left.depth();
  const tile_path path = detail::path_of<P>(ctx);
  const auto compute_range = [&](index which, std::array<index, 2> row_panels, std::array<index, 2> column_panels) {
    const auto terms = rights.subspan(static_cast<std::size_t>(which) * lefts.size(), lefts.size());
    detail::blocks<P>(lefts, terms, row_panels, column_panels, path, ctx.times,
                      [&](index row, index col, view<typename P::real>& block) { f(which, row, col, block); });
  };
  detail::partition(format::panels(lefts[0].rows()), columns, packed_b<P>::panel_bytes(depth), std::ssize(rights) / std::ssize(lefts), path,
                    ctx, compute_range);
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template void detail::blocks(std::span<const packed_a<GRAFT_PRECISION>>, std::span<const packed_b<GRAFT_PRECISION>>, std::array<index, 2>,
                             std::array<index, 2>, tile_path, profile*, block_function<GRAFT_PRECISION>);
template void products(std::span<const packed_a<GRAFT_PRECISION>>, std::span<const packed_b<GRAFT_PRECISION>>, context&,
                       blocks_function<GRAFT_PRECISION>);
#endif

}  // namespace graft
