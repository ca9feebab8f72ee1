#pragma once
// Bodies of graft/adapters/bottleneck.hpp.

#include "graft/adapters/bottleneck.hpp"
#include "graft/core/compiled.hpp"

namespace graft {

template <class P>
bottleneck<P>::bottleneck(const std::string& prefix, index hidden_size, index size, activation act, double scaling)
    : down_project(prefix + ".down_project", hidden_size, size, parameter_role::adapter),
      up_project(prefix + ".up_project", size, hidden_size, parameter_role::adapter),
      activation_(act),
      scaling_(static_cast<real>(scaling)) {}

template <class P>
void bottleneck<P>::forward(const_view<real> h, view<real> y, saved* s, context& ctx) const {
  update(h, s, ctx, [&](index row, index col, const auto& block) {
    y.window(row, col, block.rows(), block.cols()) = block + h.window(row, col, block.rows(), block.cols());
  });
}

template <class P>
void bottleneck<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, context& ctx) {
  update_backward(dy, s, real(1), dh, ctx);
}

template <class P>
void bottleneck<P>::update(const_view<real> h, saved* s, context& ctx, block_function<P> f) const {
  scratch::mark mark(ctx.memory);
  down_project.save_input(h, s != nullptr ? &s->down : nullptr, ctx);
  const bool keeps = s != nullptr && up_project.needs_input();
  view<operand> z = s != nullptr ? s->z.resize(h.rows(), size()) : view<operand>(nullptr, 0, 0);
  view<operand> kept = keeps ? s->up.x.resize(h.rows(), size()) : view<operand>(nullptr, 0, 0);
  const auto activated = packed_a<P>::take(h.rows(), size(), ctx);
  down_project.forward_blocks(down_project.pack(h, ctx), ctx, [&](index row, index col, view<real> block) {
    if (s != nullptr) ops::write_block(block, z, row, col);
    for (index i = 0; i < block.rows(); ++i) ops::activate_row<real>(activation_, block.row(i), block.row(i));
    if (keeps) ops::write_block(block, kept, row, col);
    activated.store(row, col, block);
  });
  const ops::token_dropout<real> mask(dropout, h.rows(), h.cols(), ctx);
  if (scaling_ == real(1) && !mask.active()) {
    up_project.forward_blocks(activated, ctx, f);
    return;
  }
  up_project.forward_blocks(activated, ctx, [&](index row, index col, view<real> block) {
    block *= scaling_;
    mask.apply(block, row, col);
    f(row, col, block);
  });
}

template <class P>
void bottleneck<P>::update_backward(const_view<real> dy, const saved& s, real skip, view<real>* dh, context& ctx) {
  scratch::mark mark(ctx.memory);
  const bool trains = is_trainable(down_project);
  const ops::token_dropout<real> mask(dropout, dy.rows(), dy.cols(), ctx);
  const bool as_it_is = scaling_ == real(1) && !mask.active();
  view<real> scaled = ctx.memory.take<real>(as_it_is ? 0 : dy.rows(), dy.cols());
  scaled = scaling_ * dy.topRows(scaled.rows());
  mask.apply(scaled, 0, 0);
  const const_view<real> du = as_it_is ? dy : const_view<real>(scaled);  // of U / (m s)
  up_project.accumulate_gradients(du, s.up.x.get(), ctx);
  if (dh == nullptr && !trains) return;
  const const_view<operand> z = s.z;
  const auto dz = packed_a<P>::take(dy.rows(), size(), ctx);
  view<operand> dz_rows = ctx.memory.take<operand>(trains ? dy.rows() : 0, size());
  up_project.backward_blocks(packed_a<P>::pack(transpose::no, du, ctx), ctx, [&](index row, index col, view<real> block) {
    alignas(64) real own[detail::block_side];
    for (index i = 0; i < block.rows(); ++i) {
      const real* z_row = ops::piece_as<real>(z, row + i, col, block.cols(), own);
      ops::activate_row_backward<real>(activation_, block.row(i), const_view<real>(z_row, 1, block.cols()).row(0), block.row(i));
    }
    if (trains) ops::write_block(block, dz_rows, row, col);
    dz.store(row, col, block);
  });
  if (trains) down_project.accumulate_gradients(const_view<operand>(dz_rows), s.down.x.get(), ctx);
  if (dh == nullptr) return;
  down_project.backward_blocks(dz, ctx, [&](index row, index col, const auto& block) {
    for_each_row(block, [&](index i, auto width) {
      const real *from = block.row_data(i), *own = dy.row_data(row + i) + col;
      real* to = dh->row_data(row + i) + col;
#pragma omp simd
      for (index c = 0; c < width; ++c) to[c] = from[c] + skip * own[c];
    });
  });
}

}  // namespace graft
