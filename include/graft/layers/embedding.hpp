#pragma once
// A table of vectors, one a row.

#include <omp.h>

#include <cstdint>
#include <span>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/precision.hpp"

namespace graft {

/// y_n += W[id_n]          Backward:  dW[id_n] += dy_n, but for the ids PADDING (-1: none)
/// @param  ids  (N) rows of the table            y (N, H) is added to, since the model sums three tables            W (V, H)
/// Saved: nothing (the caller has the ids).   Cost: one pass over y.   Frozen: backward does nothing.
/// Source: torch.nn.Embedding, PADDING its padding_idx.   Tested: tests/layers/embedding_test.cpp
template <class P>
class embedding {
 public:
  using real = typename P::real;

  /// Parameter PREFIX.weight
  embedding(const std::string& prefix, index rows, index hidden_size)
      : weight(parameter<real>::table(prefix + ".weight", parameter_role::weight, rows, hidden_size)) {}

  /// @throws shape_error  an id outside 0 .. V - 1
  void add_forward(std::span<const std::int32_t> ids, view<real> y, context& ctx) const {
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
  void backward(std::span<const std::int32_t> ids, const_view<real> dy, context& ctx, std::int32_t padding = -1) {
    if (!weight.is_trained()) return;
    view<real> dw = gradient_of(weight, ctx);
    parallel_for(dy.cols(), 64, ctx.threads, [&](index begin, index end) {  // by columns: rows of dW may repeat
      for (index n = 0; n < dy.rows(); ++n) {
        const std::int32_t id = ids[static_cast<std::size_t>(n)];
        if (id != padding) dw.row(id).segment(begin, end - begin) += dy.row(n).segment(begin, end - begin);
      }
    });
  }

  template <class F>
  void for_each_parameter(F&& f) {
    f(weight);
  }

  parameter<real> weight;  // the table
};

static_assert(parameterized<embedding<f64>>);

}  // namespace graft
