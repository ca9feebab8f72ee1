#pragma once
// The element-wise functions that may stand inside an adapter.

#include <cmath>
#include <numbers>

#include "graft/core/tuning_options.hpp"
#include "graft/core/types.hpp"
#include "graft/ops/gelu.hpp"

namespace graft {

namespace ops {

/// y = a(x) for one row; y may be x's memory. With s(x) = 1 / (1 + exp(-x)):
///   gelu  x Phi(x)      gelu_10  the same, at most 10      gelu_new  x (1 + tanh k) / 2, k = sqrt(2 / pi) (x + 0.044715 x^3)
///   quick_gelu  x s(1.702 x)      swish  x s(x)      mish  x tanh(log(1 + exp x))      sigmoid  s(x)      tanh      linear  x
///   relu  max(x, 0)      relu2  max(x, 0)^2      relu6  min(max(x, 0), 6)      leaky_relu  max(x, 0.01 x)
///   laplace  (1 + erf((x - 0.707107) / (0.282095 sqrt 2))) / 2
/// What comes of an infinite x, which a sum became that was too large, is no finite number either, so that no answer hides it.
/// Source: transformers' activations.py.   Tested: tests/ops/activation_test.cpp
template <class T, class X, class Y>
void activate_row(activation a, const X& row, Y&& y) {
  const auto x = row.array();
  const auto sigmoid = [](const auto& v) { return (T(1) + (-v).exp()).inverse(); };
  const auto zero = x - x;  // NaN where x is none, or infinite
  switch (a) {
    case activation::gelu:
      gelu_row<T>(row, y);
      break;
    case activation::gelu_10:
      gelu_row<T>(row, y);
      y.array() = y.array().min(T(10)) + (y.array() - y.array());
      break;
    case activation::gelu_new:
      y.array() = T(0.5) * x * (T(1) + (T(0.7978845608028654) * (x + T(0.044715) * x.cube())).tanh());
      break;
    case activation::quick_gelu:
      y.array() = x * sigmoid(T(1.702) * x);
      break;
    case activation::swish:
      y.array() = x / (T(1) + (-x).exp());
      break;
    case activation::mish:
      y.array() = x.unaryExpr([](T v) { return v * std::tanh(v > T(30) ? v : std::log1p(std::exp(v))); });
      break;
    case activation::sigmoid:
      y.array() = sigmoid(x) + zero;
      break;
    case activation::tanh:
      y.array() = x.tanh() + zero;
      break;
    case activation::linear:
      y.array() = x;
      break;
    case activation::relu:
      y.array() = x.max(T(0)) + zero;
      break;
    case activation::relu2:
      y.array() = x.max(T(0)).square() + zero;
      break;
    case activation::relu6:
      y.array() = x.max(T(0)).min(T(6)) + zero;
      break;
    case activation::leaky_relu:
      y.array() = x.max(T(0.01) * x);
      break;
    case activation::laplace:
      y.array() = T(0.5) * (T(1) + ((x - T(0.707107)) * T(1 / (0.282095 * std::numbers::sqrt2))).erf()) + zero;
      break;
  }
}

/// dx = dy a'(x) for one row; dx may be dy's memory.
template <class T, class Dy, class X, class Dx>
void activate_row_backward(activation a, const Dy& dy_row, const X& row, Dx&& dx_row) {
  const auto x = row.array();
  const auto dy = dy_row.array();
  auto dx = dx_row.array();
  const auto sigmoid = [](const auto& v) { return (T(1) + (-v).exp()).inverse(); };
  switch (a) {
    case activation::gelu:
      gelu_row_backward<T>(dy_row, row, dx_row);
      break;
    case activation::gelu_10:
      gelu_row_backward<T>(dy_row, row, dx_row);
      dx = (x < T(10)).select(dx, T(0));
      break;
    case activation::gelu_new: {
      const auto t = (T(0.7978845608028654) * (x + T(0.044715) * x.cube())).tanh();
      dx = dy * (T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t.square()) * (T(0.7978845608028654) * (T(1) + T(3 * 0.044715) * x.square())));
      break;
    }
    case activation::quick_gelu: {
      const auto s = sigmoid(T(1.702) * x);
      dx = dy * s * (T(1) + T(1.702) * x * (T(1) - s));
      break;
    }
    case activation::swish: {
      const auto s = sigmoid(x);
      dx = dy * s * (T(1) + x * (T(1) - s));
      break;
    }
    case activation::mish:
      dx = dy * x.unaryExpr([](T v) {
        const T t = std::tanh(v > T(30) ? v : std::log1p(std::exp(v)));
        return t + v * (T(1) - t * t) / (T(1) + std::exp(-v));
      });
      break;
    case activation::sigmoid: {
      const auto s = sigmoid(x);
      dx = dy * s * (T(1) - s);
      break;
    }
    case activation::tanh:
      dx = dy * (T(1) - x.tanh().square());
      break;
    case activation::linear:
      dx = dy;
      break;
    case activation::relu:
      dx = (x > T(0)).select(dy, T(0));
      break;
    case activation::relu2:
      dx = dy * T(2) * x.max(T(0));
      break;
    case activation::relu6:
      dx = (x > T(0) && x < T(6)).select(dy, T(0));
      break;
    case activation::leaky_relu:
      dx = (x > T(0)).select(dy, T(0.01) * dy);
      break;
    case activation::laplace: {
      const auto v = (x - T(0.707107)) * T(1 / 0.282095);
      dx = dy * T(std::numbers::inv_sqrtpi / (std::numbers::sqrt2 * 0.282095)) * (T(-0.5) * v.square()).exp();
      break;
    }
  }
}

}  // namespace ops
}  // namespace graft
