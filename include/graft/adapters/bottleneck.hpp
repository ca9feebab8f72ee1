#pragma once
// The bottleneck module of Houlsby et al. 2019.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

/// A(h) = h + U(h),   U(h) = m s (a(z) W_up^T + b_up),   z = h W_down^T + b_down,   a = GELU and s = 1 unless told otherwise, m the mask of
/// a dropout in training, or 1
/// Backward:  dz = s (m dy W_up) a'(z);   dh = dy + dz W_down, of U alone dz W_down
/// @param  h  (N, H) rows are tokens            @param[out] y  (N, H), not h's memory            W_down (K, H), W_up (H, K)
/// Saved: z (N, K); h and a(z) only when the weights that read them are trained.
/// Source: Houlsby et al. 2019, section 2; dropout as in AdapterHub's library, methods/modeling.py.   Tested:
/// tests/adapters/bottleneck_test.cpp
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
  bottleneck(const std::string& prefix, index hidden_size, index size, activation act = activation::gelu, double scaling = 1);

  index size() const { return down_project.out(); }
  activation hidden_act() const { return activation_; }
  double scaling() const { return static_cast<double>(scaling_); }
  /// Numbers that a row saves.
  index saved_numbers() const {
    return size() + (down_project.needs_input() ? down_project.in() : 0) + (up_project.needs_input() ? size() : 0);
  }

  void forward(const_view<real> h, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dh, context& ctx);

  /// U(h), every block of which goes through EPILOGUES, for sites that add it to something else.
  template <class... E>
  void update(const_view<real> h, saved* s, context& ctx, const E&... epilogues) const {
    update_blocks(h, s, ctx, in_order<P>(epilogues...));
  }
  /// dh = SKIP dy + dz W_down
  void update_backward(const_view<real> dy, const saved& s, real skip, view<real>* dh, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
    down_project.for_each_parameter(f);
    up_project.for_each_parameter(f);
  }

  linear<P> down_project, up_project;  // D = W_down h + b_down, up to H again
  ops::dropout_options dropout;        // of h, before D

 private:
  void update_blocks(const_view<real> h, saved* s, context& ctx, block_function<P> f) const;
  activation activation_;
  real scaling_;
};

static_assert(layer<bottleneck<f64>> && layer<bottleneck<f32>> && layer<bottleneck<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/bottleneck-inl.hpp"  // IWYU pragma: export
#endif
