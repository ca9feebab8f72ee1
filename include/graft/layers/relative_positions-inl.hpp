#pragma once
// Bodies of graft/layers/relative_positions.hpp.

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "graft/layers/relative_positions.hpp"

namespace graft {

template <class P>
index relative_positions<P>::row_of(index d) const {
  const relative_options& o = options_;
  const index far = std::abs(d);
  const auto log_of = [](index a, index b) { return std::log(static_cast<float>(a) / static_cast<float>(b)); };
  if (!o.disentangled) {
    const index half = o.buckets / 2, exact = half / 2;
    index row = far;
    if (far >= exact) {
      const auto most = static_cast<float>(std::log(static_cast<double>(o.farthest) / static_cast<double>(exact)));
      row = exact + static_cast<index>(log_of(far, exact) / most * static_cast<float>(half - exact));
    }
    return (d < 0 ? half : 0) + std::min(row, half - 1);
  }
  const index span = table.rows() / 2, middle = o.buckets / 2;
  index bucket = d;
  if (o.buckets > 0 && far > middle) {
    const float most = std::log(static_cast<float>(static_cast<double>(o.farthest - 1) / static_cast<double>(middle)));
    bucket = static_cast<index>(std::ceil(log_of(far, middle) / most * static_cast<float>(middle - 1))) + middle;
    if (d < 0) bucket = -bucket;
  }
  return std::clamp<index>(bucket + span, 0, 2 * span - 1);
}

template <class P>
std::span<const std::int32_t> relative_positions<P>::rows_of_distances(index longest, index first, context& ctx) const {
  const auto rows = ctx.memory.take_array<std::int32_t>(static_cast<std::size_t>(2 * longest - 1));
  for (index d = 1 - longest; d < longest; ++d) {
    rows[static_cast<std::size_t>(d + longest - 1)] = static_cast<std::int32_t>(row_of(d) - first);
  }
  return rows;
}

template <class P>
view<typename P::real> relative_positions<P>::numbers(index longest, context& ctx) const {
  view<real> all = ctx.memory.take<real>(options_.heads, 2 * longest - 1);
  for (index d = 1 - longest; d < longest; ++d) all.col(d + longest - 1) = table.value().row(row_of(d)).transpose();
  return all;
}

template <class P>
void relative_positions<P>::vectors(index first, view<real> y, typename layer_norm<P>::saved* s, context& ctx) const {
  y = table.value().window(first, 0, y.rows(), y.cols());
  if (norm) norm->forward(y, y, s, ctx);
}

template <class P>
void relative_positions<P>::vectors_backward(index first, const_view<real> dy, const typename layer_norm<P>::saved& s, context& ctx) {
  scratch::mark mark(ctx.memory);
  view<real> d = ctx.memory.take<real>(dy.rows(), dy.cols());
  d = dy;
  if (norm) norm->backward(d, s, &d, ctx);
  if (table.is_trained()) gradient_of(table, ctx).middleRows(first, d.rows()) += d;
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class relative_positions<GRAFT_PRECISION>;
#endif

}  // namespace graft
