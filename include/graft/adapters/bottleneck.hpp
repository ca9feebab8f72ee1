#pragma once
// The bottleneck module of Houlsby et al. 2019.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/blocks.hpp"

namespace graft {

/// A(h) = h + U(h),   U(h) = a(z) W_up^T + b_up,   z = h W_down^T + b_down,   a = GELU unless told otherwise
/// Backward:  dz = (dy W_up) a'(z);   dh = dy + dz W_down, of U alone dz W_down
/// @param  h  (N, H) rows are tokens            @param[out] y  (N, H), not h's memory            W_down (K, H), W_up (H, K)
/// Saved: z (N, K); h and a(z) only when the weights that read them are trained.
/// Source: Houlsby et al. 2019, section 2.   Tested: tests/adapters/bottleneck_test.cpp
template <class P>
class bottleneck {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  struct saved {
    typename linear<P>::saved down;
    buffer<operand> z;
    typename linear<P>::saved up;
  };

  /// Parameters PREFIX.down_project.* and PREFIX.up_project.*, zero until initialized or loaded.
  bottleneck(const std::string& prefix, index hidden_size, index size, activation act = activation::gelu)
      : down_project(prefix + ".down_project", hidden_size, size, parameter_role::adapter),
        up_project(prefix + ".up_project", size, hidden_size, parameter_role::adapter),
        activation_(act) {}

  index size() const { return down_project.out(); }
  activation hidden_act() const { return activation_; }

  void forward(const_view<real> h, view<real> y, saved* s, context& ctx) const {
    update(h, s, ctx, [&](index row, index col, const auto& block) {
      y.window(row, col, block.rows(), block.cols()) = block + h.window(row, col, block.rows(), block.cols());
    });
  }
  void backward(const_view<real> dy, const saved& s, view<real>* dh, context& ctx) { update_backward(dy, s, real(1), dh, ctx); }

  /// f(row, col, block) for every block of U(h), for sites that add it to something else.
  void update(const_view<real> h, saved* s, context& ctx, block_function<P> f) const {
    scratch::mark mark(ctx.memory);
    down_project.keep(h, s != nullptr ? &s->down : nullptr, ctx);
    const bool keeps = s != nullptr && up_project.reads_input();
    view<operand> z = s != nullptr ? s->z.resize(h.rows(), size()) : view<operand>(nullptr, 0, 0);
    view<operand> kept = keeps ? s->up.x.resize(h.rows(), size()) : view<operand>(nullptr, 0, 0);
    const auto activated = left_factor<P>::take(h.rows(), size(), ctx);
    down_project.forward_blocks(down_project.pack(h, ctx), ctx, [&](index row, index col, view<real> block) {
      if (s != nullptr) ops::write_block(block, z, row, col);
      for (index i = 0; i < block.rows(); ++i) ops::activate_row<real>(activation_, block.row(i), block.row(i));
      if (keeps) ops::write_block(block, kept, row, col);
      activated.store(row, col, block);
    });
    up_project.forward_blocks(activated, ctx, f);
  }
  /// dh = SKIP dy + dz W_down
  void update_backward(const_view<real> dy, const saved& s, real skip, view<real>* dh, context& ctx) {
    scratch::mark mark(ctx.memory);
    const bool trains = is_trainable(down_project);
    up_project.accumulate_gradients(dy, s.up.x.get(), ctx);
    if (dh == nullptr && !trains) return;
    const const_view<operand> z = s.z;
    const auto dz = left_factor<P>::take(dy.rows(), size(), ctx);
    view<operand> dz_rows = ctx.memory.take<operand>(trains ? dy.rows() : 0, size());
    up_project.backward_blocks(left_factor<P>::pack(as::is, dy, ctx), ctx, [&](index row, index col, view<real> block) {
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

  template <class F>
  void for_each_parameter(F&& f) {
    down_project.for_each_parameter(f);
    up_project.for_each_parameter(f);
  }

  linear<P> down_project, up_project;

 private:
  activation activation_;
};

static_assert(layer<bottleneck<f64>> && layer<bottleneck<f32>> && layer<bottleneck<bf16>>);

}  // namespace graft
