#pragma once
// Bodies of graft/layers/feed_forward.hpp.

#include "graft/core/compiled.hpp"
#include "graft/layers/feed_forward.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

template <class P>
feed_forward<P>::feed_forward(const std::string& prefix, const options& o)
    : intermediate(prefix + ".intermediate.dense", o.hidden_size, o.gated ? 2 * o.intermediate_size : o.intermediate_size,
                   parameter_role::weight, o.biased),
      output(prefix + ".output.dense", o.intermediate_size, o.hidden_size, parameter_role::weight, o.biased),
      options_(o) {}

template <class P>
void feed_forward<P>::forward(const_view<real> x, view<real> h, saved* s, context& ctx, rows_of rows) const {
  scratch::mark mark(ctx.memory);
  if (s != nullptr) s->rows = rows;
  if (options_.gated) {
    gated_forward(x, h, s, rows, ctx);
    return;
  }
  intermediate.save_input(x, s != nullptr ? &s->intermediate : nullptr, ctx);
  view<gelu_derivative> derivatives =
      s != nullptr ? s->gelu_derivative.resize(x.rows(), options_.intermediate_size) : view<gelu_derivative>(nullptr, 0, 0);
  const bool keeps = s != nullptr && output.needs_input();
  view<operand> kept = keeps ? s->output.x.resize(x.rows(), options_.intermediate_size) : view<operand>(nullptr, 0, 0);
  const auto activated = packed_a<P>::take(x.rows(), options_.intermediate_size, ctx);
  intermediate.forward_blocks(intermediate.pack(x, ctx), ctx, [&](index row, index col, view<real> block) {
    alignas(64) real own[detail::block_side];
    for_each_row(block, [&](index i, auto width) {
      if (options_.act != activation::gelu) {
        activate(block.row_data(i), width, s != nullptr ? derivatives.row_data(row + i) + col : nullptr);
      } else if (s == nullptr) {
        ops::gelu_row<real>(block.row(i), block.row(i));
      } else {
        ops::gelu_with_derivative(block.row_data(i), block.row_data(i), own, width);
        ops::save_gelu_derivative(own, derivatives.row_data(row + i) + col, width);
      }
    });
    if (keeps) ops::write_block(block, kept, row, col);
    activated.store(row, col, block);
  });
  const ops::matrix_dropout<real> mask(options_.hidden_dropout, options_.dropout_stream, rows, options_.hidden_size, ctx);
  output.forward_blocks(activated, ctx, [&](index row, index col, view<real> block) {
    mask.apply(block, row, col);
    ops::write_block(block, h, row, col);
  });
}

template <class P>
void feed_forward<P>::activate(real* z, index n, gelu_derivative* kept) const {
  view<real> row(z, 1, n);
  if (kept != nullptr) {
    alignas(64) real own[detail::block_side];
    view<real> derivative(own, 1, n);
    derivative.setOnes();
    ops::activate_row_backward<real>(options_.act, derivative.row(0), row.row(0), derivative.row(0));
    ops::save_gelu_derivative(own, kept, n);
  }
  ops::activate_row<real>(options_.act, row.row(0), row.row(0));
}

template <class P>
void feed_forward<P>::backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta) {
  scratch::mark mark(ctx.memory);
  if (options_.gated) {
    gated_backward(dh, s, dx, ctx, beta);
    return;
  }
  view<real> dprojected = ctx.memory.take<real>(dh.rows(), options_.hidden_size);
  ops::dropout<real>(dh, dprojected, options_.hidden_dropout, options_.dropout_stream, s.rows, ctx);
  output.accumulate_gradients(const_view<real>(dprojected), s.output.x.get(), ctx);
  const bool trains = is_trainable(intermediate);
  if (dx == nullptr && !trains) return;
  const index rows = dh.rows();
  const const_view<gelu_derivative> derivatives = s.gelu_derivative;
  const auto dz = packed_a<P>::take(rows, options_.intermediate_size, ctx);
  view<operand> dz_rows = ctx.memory.take<operand>(trains ? rows : 0, options_.intermediate_size);
  output.backward_blocks(
      packed_a<P>::pack(transpose::no, const_view<real>(dprojected), ctx), ctx,
      [&](index row, index col, view<real> block) {
        for_each_row(block, [&](index i, auto width) {
          ops::scale_by_gelu_derivative(block.row_data(i), derivatives.row_data(row + i) + col, width);
        });
        if (trains) ops::write_block(block, dz_rows, row, col);
        dz.store(row, col, block);
      },
      s.output.x.get());
  if (trains) intermediate.accumulate_gradients(const_view<operand>(dz_rows), s.intermediate.x.get(), ctx);
  if (dx != nullptr) intermediate.input_gradient(dz, beta, *dx, ctx, s.intermediate.x.get());
}

template <class P>
void feed_forward<P>::gated_forward(const_view<real> x, view<real> h, saved* s, rows_of rows, context& ctx) const {
  const index width = options_.intermediate_size;
  intermediate.save_input(x, s != nullptr ? &s->intermediate : nullptr, ctx);
  view<operand> z = s != nullptr ? s->z.resize(x.rows(), 2 * width) : ctx.memory.take<operand>(x.rows(), 2 * width);
  intermediate.forward_blocks(intermediate.pack(x, ctx), ctx,
                              [&](index row, index col, view<real> block) { ops::write_block(block, z, row, col); });
  const bool keeps = s != nullptr && output.needs_input();
  view<operand> t = keeps ? s->output.x.resize(x.rows(), width) : ctx.memory.take<operand>(x.rows(), width);
  const ops::matrix_dropout<real> mask(options_.inner_dropout, options_.dropout_stream, rows, width, ctx);
  view<real> own = ctx.memory.take_rows<real>(ctx.threads, 2 * width);
  parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      view<real> row(own.row_data(omp_get_thread_num()), 2, width);
      convert(z.row_data(r), row.row_data(0), width);
      convert(z.row_data(r) + width, row.row_data(1), width);
      ops::activate_row<real>(options_.act, row.row(0), row.row(0));
      row.row(0).array() *= row.row(1).array();
      if (mask.active()) mask.apply(row.row_data(0), row.row_data(0), r, 0, width);
      convert(row.row_data(0), t.row_data(r), width);
    }
  });
  output.forward_blocks(packed_a<P>::pack(transpose::no, const_view<operand>(t), ctx), ctx,
                        [&](index row, index col, view<real> block) { ops::write_block(block, h, row, col); });
}

template <class P>
void feed_forward<P>::gated_backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta) {
  const index width = options_.intermediate_size;
  output.accumulate_gradients(dh, s.output.x.get(), ctx);
  if (dx == nullptr && !is_trainable(intermediate)) return;
  view<real> dt = ctx.memory.take<real>(dh.rows(), width);
  output.backward_blocks(
      packed_a<P>::pack(transpose::no, dh, ctx), ctx,
      [&](index row, index col, view<real> block) { ops::write_block(block, dt, row, col); }, s.output.x.get());
  ops::dropout<real>(dt, options_.inner_dropout, options_.dropout_stream, s.rows, ctx);
  const const_view<operand> z = s.z;
  view<operand> dz = ctx.memory.take<operand>(dh.rows(), 2 * width);
  view<real> own = ctx.memory.take_rows<real>(ctx.threads, 3 * width);
  parallel_for(dh.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      view<real> row(own.row_data(omp_get_thread_num()), 3, width);
      convert(z.row_data(r), row.row_data(0), width);
      convert(z.row_data(r) + width, row.row_data(1), width);
      row.row(1).array() *= dt.row(r).array();
      ops::activate_row_backward<real>(options_.act, row.row(1), row.row(0), row.row(2));
      convert(row.row_data(2), dz.row_data(r), width);
      ops::activate_row<real>(options_.act, row.row(0), row.row(0));
      row.row(0).array() *= dt.row(r).array();
      convert(row.row_data(0), dz.row_data(r) + width, width);
    }
  });
  intermediate.accumulate_gradients(const_view<operand>(dz), s.intermediate.x.get(), ctx);
  if (dx != nullptr)
    intermediate.input_gradient(packed_a<P>::pack(transpose::no, const_view<operand>(dz), ctx), beta, *dx, ctx, s.intermediate.x.get());
}

}  // namespace graft
