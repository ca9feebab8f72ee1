#pragma once
// The bottleneck module of Houlsby et al. 2019.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/activation.hpp"

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
  struct saved {
    typename linear<P>::saved down;
    buffer<real> z;
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
    update(h, y, s, ctx);
    y += h;
  }
  void backward(const_view<real> dy, const saved& s, view<real>* dh, context& ctx) { update_backward(dy, s, real(1), dh, ctx); }

  /// y = U(h), for sites whose residual is not h.
  void update(const_view<real> h, view<real> y, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    view<real> activated = ctx.memory.take<real>(h.rows(), size());
    view<real> z = s != nullptr ? s->z.resize(h.rows(), size()) : activated;
    down_project.forward(h, z, s != nullptr ? &s->down : nullptr, ctx);
    ops::activation_forward<real>(activation_, z, activated, ctx);
    up_project.forward(activated, y, s != nullptr ? &s->up : nullptr, ctx);
  }
  /// dh = SKIP dy + dz W_down
  void update_backward(const_view<real> dy, const saved& s, real skip, view<real>* dh, context& ctx) {
    scratch::mark mark(ctx.memory);
    const bool deeper = dh != nullptr || is_trainable(down_project);
    view<real> dz = ctx.memory.take<real>(dy.rows(), size());
    up_project.backward(dy, s.up, deeper ? &dz : nullptr, ctx);
    if (!deeper) return;
    ops::activation_backward<real>(activation_, dz, s.z, dz, ctx);
    down_project.accumulate_gradients(dz, s.down.x, ctx);
    if (dh == nullptr) return;
    if (skip != real(0)) *dh = skip * dy;
    down_project.input_gradient(dz, skip != real(0) ? real(1) : real(0), *dh, ctx);
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

static_assert(layer<bottleneck<f64>> && layer<bottleneck<f32>>);

}  // namespace graft
