#pragma once
// Bodies of graft/layers/embedding.hpp.

#include <omp.h>

#include "graft/core/parallel.hpp"
#include "graft/layers/embedding.hpp"

namespace graft {

template <class P>
void embedding<P>::add_forward(std::span<const std::int32_t> ids, view<real> y, context& ctx) const {
  const const_view<real> table = weight.value();
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= table.rows()) {
      throw shape_error("layer '" + weight.name + "': id " + std::to_string(id) + " is outside 0 .. " + std::to_string(table.rows() - 1) +
                        " (do tokenizer and model belong together, is the text too long?)");
    }
  }
  scratch::mark mark(ctx.memory);
  view<real> copies = ctx.memory.take_rows<real>(ctx.threads, table.cols());
  parallel_for(y.rows(), 64, ctx.threads, [&](index begin, index end) {
    real* const copy = copies.row_data(omp_get_thread_num());
    for (index n = begin; n < end; ++n) {
      y.row(n) += const_view<real>(weight.row(ids[static_cast<std::size_t>(n)], copy), 1, table.cols()).row(0);
    }
  });
}

template <class P>
void embedding<P>::backward(std::span<const std::int32_t> ids, const_view<real> dy, context& ctx, std::int32_t padding) {
  if (!weight.is_trained()) return;
  view<real> dw = gradient_of(weight, ctx);
  parallel_for(dy.cols(), 64, ctx.threads, [&](index begin, index end) {  // by columns: rows of dW may repeat
    for (index n = 0; n < dy.rows(); ++n) {
      const std::int32_t id = ids[static_cast<std::size_t>(n)];
      if (id != padding) dw.row(id).segment(begin, end - begin) += dy.row(n).segment(begin, end - begin);
    }
  });
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class embedding<GRAFT_PRECISION>;
#endif

}  // namespace graft
