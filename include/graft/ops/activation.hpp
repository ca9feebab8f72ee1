#pragma once
// The element-wise functions that may stand inside an adapter.

#include <cstdint>
#include <string>

#include "graft/core/tuning_options.hpp"
#include "graft/core/types.hpp"
#include "graft/ops/gelu.hpp"

namespace graft {

namespace ops {

/// y = a(x) for one row; y may be x's memory.   Tested: tests/ops/activation_test.cpp
template <class T, class X, class Y>
void activate_row(activation a, const X& x, Y&& y) {
  switch (a) {
    case activation::gelu:
      gelu_row<T>(x, y);
      break;
    case activation::relu:
      y.array() = x.array().max(T(0));
      break;
    case activation::swish:
      y.array() = x.array() / (T(1) + (-x.array()).exp());
      break;
  }
}

/// dx = dy a'(x) for one row; dx may be dy's memory.
template <class T, class Dy, class X, class Dx>
void activate_row_backward(activation a, const Dy& dy, const X& x, Dx&& dx) {
  switch (a) {
    case activation::gelu:
      gelu_row_backward<T>(dy, x, dx);
      break;
    case activation::relu:
      dx.array() = (x.array() > T(0)).select(dy.array(), T(0));
      break;
    case activation::swish: {
      const auto s = (T(1) + (-x.array()).exp()).inverse();
      dx.array() = dy.array() * s * (T(1) + x.array() * (T(1) - s));
      break;
    }
  }
}

}  // namespace ops
}  // namespace graft
