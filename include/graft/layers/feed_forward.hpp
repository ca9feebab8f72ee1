#pragma once
// The position-wise feed-forward sub-layer.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/blocks.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/gelu.hpp"

namespace graft {

/// h = drop(gelu(z) W_2^T + b_2),   z = x W_1^T + b_1
/// Backward:  dz = (dh W_2) gelu'(z);   dx = dz W_1 + beta dx
/// @param  x  (ROWS, H), ROWS for dropout alone            @param[out] h  (ROWS, H)            W_1 (F, H), W_2 (H, F)
/// Saved: gelu'(z) (N, F); x and gelu(z) only when the weights that read them are trained.
/// Source: Vaswani et al. 2017, eq. 2, with GELU; transformers' RobertaIntermediate and RobertaOutput.dense.
/// Tested: tests/layers/feed_forward_test.cpp
template <class P>
class feed_forward {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  using slope = typename P::slope;
  struct options {
    index hidden_size;
    index intermediate_size;
    double hidden_dropout = 0;
    std::uint64_t place = 0;
  };
  struct saved {
    rows_of rows = rows_of::tokens;
    typename linear<P>::saved intermediate;
    buffer<typename P::slope> slope;
    typename linear<P>::saved output;
  };

  /// Parameters PREFIX.intermediate.dense.* and PREFIX.output.dense.*
  feed_forward(const std::string& prefix, const options& o)
      : intermediate(prefix + ".intermediate.dense", o.hidden_size, o.intermediate_size),
        output(prefix + ".output.dense", o.intermediate_size, o.hidden_size),
        options_(o) {}

  void forward(const_view<real> x, view<real> h, saved* s, context& ctx, rows_of rows = rows_of::tokens) const {
    scratch::mark mark(ctx.memory);
    if (s != nullptr) s->rows = rows;
    intermediate.keep(x, s != nullptr ? &s->intermediate : nullptr, ctx);
    view<slope> slopes = s != nullptr ? s->slope.resize(x.rows(), options_.intermediate_size) : view<slope>(nullptr, 0, 0);
    const bool keeps = s != nullptr && output.reads_input();
    view<operand> kept = keeps ? s->output.x.resize(x.rows(), options_.intermediate_size) : view<operand>(nullptr, 0, 0);
    const auto activated = left_factor<P>::take(x.rows(), options_.intermediate_size, ctx);
    intermediate.forward_blocks(intermediate.pack(x, ctx), ctx, [&](index row, index col, view<real> block) {
      alignas(64) real own[detail::block_side];
      for_each_row(block, [&](index i, auto width) {
        if (s == nullptr) {
          ops::gelu_row<real>(block.row(i), block.row(i));
        } else {
          ops::gelu_with_slope(block.row_data(i), block.row_data(i), own, width);
          ops::keep_slope(own, slopes.row_data(row + i) + col, width);
        }
      });
      if (keeps) ops::write_block(block, kept, row, col);
      activated.store(row, col, block);
    });
    const ops::matrix_dropout<real> mask(options_.hidden_dropout, options_.place, rows, options_.hidden_size, ctx);
    output.forward_blocks(activated, ctx, [&](index row, index col, view<real> block) {
      mask.apply(block, row, col);
      ops::write_block(block, h, row, col);
    });
  }
  void backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta = real(0)) {
    scratch::mark mark(ctx.memory);
    view<real> dprojected = ctx.memory.take<real>(dh.rows(), options_.hidden_size);
    ops::dropout<real>(dh, dprojected, options_.hidden_dropout, options_.place, s.rows, ctx);
    output.accumulate_gradients(const_view<real>(dprojected), s.output.x.get(), ctx);
    const bool trains = is_trainable(intermediate);
    if (dx == nullptr && !trains) return;
    const index rows = dh.rows();
    const const_view<slope> slopes = s.slope;
    const auto dz = left_factor<P>::take(rows, options_.intermediate_size, ctx);
    view<operand> dz_rows = ctx.memory.take<operand>(trains ? rows : 0, options_.intermediate_size);
    output.backward_blocks(
        left_factor<P>::pack(as::is, const_view<real>(dprojected), ctx), ctx, [&](index row, index col, view<real> block) {
          for_each_row(block, [&](index i, auto width) { ops::scale_by_slope(block.row_data(i), slopes.row_data(row + i) + col, width); });
          if (trains) ops::write_block(block, dz_rows, row, col);
          dz.store(row, col, block);
        });
    if (trains) intermediate.accumulate_gradients(const_view<operand>(dz_rows), s.intermediate.x.get(), ctx);
    if (dx != nullptr) intermediate.input_gradient(dz, beta, *dx, ctx);
  }

  template <class F>
  void for_each_parameter(F&& f) {
    intermediate.for_each_parameter(f);
    output.for_each_parameter(f);
  }

  linear<P> intermediate, output;

 private:
  options options_;
};

static_assert(layer<feed_forward<f64>> && layer<feed_forward<f32>> && layer<feed_forward<bf16>>);

}  // namespace graft
