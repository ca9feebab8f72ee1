#pragma once
// The mixing weights of a multi-adapter.

#include <cstdint>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/precision.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft {

/// w (1, M) from v (1, M), by mode; shared by the sites of one weight set.
/// Backward:  softmax dv = w (dw - <dw, w>);   gates dv = dw w (1 - w);   weights dv = dw
/// Source: nlprunners' weighted sums.   Tested: tests/layers/mixing_weights_test.cpp
template <class P>
class mixing_weights {
 public:
  using real = typename P::real;

  /// Parameter PREFIX.weights
  mixing_weights(const std::string& prefix, index count, mixing_mode mode);

  index count() const { return v.size(); }

  void forward(view<real> w) const;
  /// w, in scratch memory.
  view<real> current(context& ctx) const;
  void backward(const_view<real> dw, const_view<real> w, context& ctx);

  template <class F>
  void for_each_parameter(F&& f) {
    f(v);
  }

  parameter<real> v;  ///< (1, M), one number for each member

 private:
  static real initial(index count, mixing_mode mode);
  mixing_mode mode_;
};

static_assert(parameterized<mixing_weights<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/mixing_weights-inl.hpp"  // IWYU pragma: export
#endif
