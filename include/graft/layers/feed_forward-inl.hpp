#pragma once
// Bodies of graft/layers/feed_forward.hpp.

#include "graft/layers/feed_forward.hpp"
#include "graft/ops/activation.hpp"

namespace graft {

template <class P>
void feed_forward<P>::forward(const_view<real> x, view<real> h, saved* s, context& ctx) const {
  scratch::mark mark(ctx.memory);
  if (options_.gated) return gated_forward(x, h, s, ctx);
  const index inner = options_.intermediate_size;
  const view<gelu_derivative> derivative = s != nullptr ? s->gelu_derivative.resize(x.rows(), inner) : view<gelu_derivative>(nullptr, 0, 0);
  const auto t = product_input<P>::take(x.rows(), output.in(), ctx);
  const ops::matrix_dropout<real> mask(options_.hidden_dropout, options_.dropout_stream, ctx.rows(), options_.hidden_size, ctx);
  intermediate.product(x, part_of(s, &saved::intermediate), ctx, ops::activate{options_.act, derivative, output.multiplies_in_int8()},
                       ops::store{output.saved_input(part_of(s, &saved::output), x.rows())}, ops::store{t});
  output.product(t, ctx, mask, ops::store{h});
}

template <class P>
void feed_forward<P>::backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta) {
  scratch::mark mark(ctx.memory);
  if (options_.gated) return gated_backward(dh, s, dx, ctx, beta);
  view<real> dprojected = ctx.memory.take<real>(dh.rows(), options_.hidden_size);
  ops::dropout<real>(dh, dprojected, options_.hidden_dropout, options_.dropout_stream, ctx.rows(), ctx);
  output.accumulate_gradients(const_view<real>(dprojected), s.output, ctx);
  const bool trains = is_trainable(intermediate);
  if (dx == nullptr && !trains) return;
  const auto dz = product_input<P>::take(dh.rows(), intermediate.out(), ctx);
  view<operand> dz_rows = ctx.memory.take<operand>(trains ? dh.rows() : 0, options_.intermediate_size);
  output.product_back(dprojected, s.output, ctx, ops::scale_by_derivative{s.gelu_derivative.get()}, ops::store{dz_rows}, ops::store{dz});
  if (trains) intermediate.accumulate_gradients(const_view<operand>(dz_rows), s.intermediate, ctx);
  if (dx != nullptr) intermediate.product_back(dz, s.intermediate, ctx, ops::accumulate{*dx, beta});
}

template <class P>
void feed_forward<P>::gated_forward(const_view<real> x, view<real> h, saved* s, context& ctx) const {
  const index width = options_.intermediate_size;
  view<operand> z = saved_or_scratch(part_of(s, &saved::z), x.rows(), 2 * width, ctx);
  intermediate.product(x, part_of(s, &saved::intermediate), ctx, ops::store{z});
  const view<operand> t = output.input_rows(part_of(s, &saved::output), x.rows(), ctx);
  const ops::matrix_dropout<real> mask(options_.inner_dropout, options_.dropout_stream, ctx.rows(), width, ctx);
  view<real> thread_rows = ctx.memory.take_rows<real>(ctx.threads, 2 * width);
  parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      view<real> row(thread_rows.row_data(omp_get_thread_num()), 2, width);
      convert(z.row_data(r), row.row_data(0), width);
      convert(z.row_data(r) + width, row.row_data(1), width);
      ops::activate_row<real>(options_.act, row.row(0), row.row(0));
      row.row(0).array() *= row.row(1).array();
      if (mask.active()) mask.apply(row.row_data(0), row.row_data(0), r, 0, width);
      convert(row.row_data(0), t.row_data(r), width);
    }
  });
  output.product(t, ctx, ops::store{h});
}

template <class P>
void feed_forward<P>::gated_backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta) {
  const index width = options_.intermediate_size;
  output.accumulate_gradients(dh, s.output, ctx);
  if (dx == nullptr && !is_trainable(intermediate)) return;
  view<real> dt = ctx.memory.take<real>(dh.rows(), width);
  output.product_back(dh, s.output, ctx, ops::store{dt});
  ops::dropout<real>(dt, options_.inner_dropout, options_.dropout_stream, ctx.rows(), ctx);
  const const_view<operand> z = s.z;
  view<operand> dz = ctx.memory.take<operand>(dh.rows(), 2 * width);
  view<real> thread_rows = ctx.memory.take_rows<real>(ctx.threads, 3 * width);
  parallel_for(dh.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      view<real> row(thread_rows.row_data(omp_get_thread_num()), 3, width);
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
  intermediate.accumulate_gradients(const_view<operand>(dz), s.intermediate, ctx);
  if (dx != nullptr) intermediate.product_back(dz, s.intermediate, ctx, ops::accumulate{*dx, beta});
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class feed_forward<GRAFT_PRECISION>;
#endif

}  // namespace graft
