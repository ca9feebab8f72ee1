#pragma once
// The mixing weights of a multi-adapter.

#include <cstdint>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/precision.hpp"

namespace graft {

/// softmax: w = softmax(v), v = 1/n at the start.   gates: w = sigmoid(v), v = 0.   weights: w = v, v = 1.
enum class mixing_mode : std::uint8_t { softmax, gates, weights };

/// @throws config_error  TEXT is none of the three
inline mixing_mode parse_mixing_mode(const std::string& text) {
  if (text == "softmax") return mixing_mode::softmax;
  if (text == "gates") return mixing_mode::gates;
  if (text == "weights") return mixing_mode::weights;
  throw config_error("adapter_weight_mode is \"" + text + "\", one of softmax, gates, weights was expected");
}

/// w (1, M) from v (1, M), by mode; shared by the sites of one weight set.
/// Backward:  softmax dv = w (dw - <dw, w>);   gates dv = dw w (1 - w);   weights dv = dw
/// Source: the original system's weighted sums.   Tested: tests/adapters/weighted_sum_test.cpp
template <class P>
class weighted_sum {
 public:
  using real = typename P::real;

  /// Parameter PREFIX.weights
  weighted_sum(const std::string& prefix, index count, mixing_mode mode);

  index count() const { return v.size(); }

  void forward(view<real> w) const;
  void backward(const_view<real> dw, const_view<real> w, context& ctx);

  template <class F>
  void for_each_parameter(F&& f) {
    f(v);
  }

  parameter<real> v;

 private:
  static real initial(index count, mixing_mode mode);
  mixing_mode mode_;
};

static_assert(parameterized<weighted_sum<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/weighted_sum-inl.hpp"  // IWYU pragma: export
#endif
