#pragma once
// The element-wise functions that may stand inside an adapter.

#include <cmath>
#include <numbers>
#include <unsupported/Eigen/SpecialFunctions>

#include "graft/core/tuning_options.hpp"

namespace graft::ops {

/// Calls f(value, change) with the functions of arrays   value(x) = a(x)   and   change(dy, x) = dy a'(x);   of gelu_10 it is gelu's.
/// With s(x) = 1 / (1 + exp(-x)) and Phi(x) = (1 + erf(x / sqrt 2)) / 2:
///   gelu  x Phi(x)      gelu_10  the same, at most 10      gelu_new  x (1 + tanh k) / 2, k = sqrt(2 / pi) (x + 0.044715 x^3)
///   quick_gelu  x s(1.702 x)      swish  x s(x)      mish  x tanh(log(1 + exp x))      sigmoid  s(x)      tanh      linear  x
///   relu  max(x, 0)      relu2  max(x, 0)^2      relu6  min(max(x, 0), 6)      leaky_relu  max(x, 0.01 x)
///   laplace  (1 + erf((x - 0.707107) / (0.282095 sqrt 2))) / 2
/// What comes of an infinite x, which a sum became that was too large, is no finite number either, so that no answer hides it.
/// Source: transformers' activations.py; gelu: Hendrycks and Gimpel 2016, torch.nn.functional.gelu.
template <class T, class F>
void with_activation(activation a, F&& f) {
  const auto sigmoid = [](const auto& x) { return (T(1) + (-x).exp()).inverse(); };
  constexpr T density = T(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  const auto zero = [](const auto& x) { return x - x; };  // NaN where x is none, or infinite
  const auto normal = [](const auto& x) { return T(1) + (x * T(1 / std::numbers::sqrt2)).erf(); };
  const auto inner = [](const auto& x) { return (T(0.7978845608028654) * (x + T(0.044715) * x.cube())).tanh(); };
  const auto soft = [](T x) { return std::tanh(x > T(30) ? x : std::log1p(std::exp(x))); };
  switch (a) {
    case activation::gelu:
    case activation::gelu_10:
      return f([&](const auto& x) { return T(0.5) * x * normal(x); },
               [&](const auto& dy, const auto& x) { return dy * (T(0.5) * normal(x) + x * density * (T(-0.5) * x.square()).exp()); });
    case activation::gelu_new:
      return f([&](const auto& x) { return T(0.5) * x * (T(1) + inner(x)); },
               [&](const auto& dy, const auto& x) {
                 return dy * (T(0.5) * (T(1) + inner(x)) +
                              T(0.5) * x * (T(1) - inner(x).square()) * (T(0.7978845608028654) * (T(1) + T(3 * 0.044715) * x.square())));
               });
    case activation::quick_gelu:
      return f([&](const auto& x) { return x * sigmoid(T(1.702) * x); },
               [&](const auto& dy, const auto& x) {
                 return dy * sigmoid(T(1.702) * x) * (T(1) + T(1.702) * x * (T(1) - sigmoid(T(1.702) * x)));
               });
    case activation::swish:
      return f([&](const auto& x) { return x / (T(1) + (-x).exp()); },
               [&](const auto& dy, const auto& x) { return dy * sigmoid(x) * (T(1) + x * (T(1) - sigmoid(x))); });
    case activation::mish:
      return f([&](const auto& x) { return x.unaryExpr([&](T v) { return v * soft(v); }); },
               [&](const auto& dy, const auto& x) {
                 return dy * x.unaryExpr([&](T v) {
                   const T t = soft(v);
                   return t + v * (T(1) - t * t) / (T(1) + std::exp(-v));
                 });
               });
    case activation::sigmoid:
      return f([&](const auto& x) { return sigmoid(x) + zero(x); },
               [&](const auto& dy, const auto& x) { return dy * sigmoid(x) * (T(1) - sigmoid(x)); });
    case activation::tanh:
      return f([&](const auto& x) { return x.tanh() + zero(x); },
               [](const auto& dy, const auto& x) { return dy * (T(1) - x.tanh().square()); });
    case activation::linear:
      return f([](const auto& x) { return x; }, [](const auto& dy, const auto& /*x*/) { return dy; });
    case activation::relu:
      return f([&](const auto& x) { return x.max(T(0)) + zero(x); },
               [](const auto& dy, const auto& x) { return (x > T(0)).select(dy, T(0)); });
    case activation::relu2:
      return f([&](const auto& x) { return x.max(T(0)).square() + zero(x); },
               [](const auto& dy, const auto& x) { return dy * T(2) * x.max(T(0)); });
    case activation::relu6:
      return f([&](const auto& x) { return x.max(T(0)).min(T(6)) + zero(x); },
               [](const auto& dy, const auto& x) { return (x > T(0) && x < T(6)).select(dy, T(0)); });
    case activation::leaky_relu:
      return f([](const auto& x) { return x.max(T(0.01) * x); },
               [](const auto& dy, const auto& x) { return (x > T(0)).select(dy, T(0.01) * dy); });
    case activation::laplace:
      return f(
          [&](const auto& x) { return T(0.5) * (T(1) + ((x - T(0.707107)) * T(1 / (0.282095 * std::numbers::sqrt2))).erf()) + zero(x); },
          [](const auto& dy, const auto& x) {
            const auto v = (x - T(0.707107)) * T(1 / 0.282095);
            return dy * T(std::numbers::inv_sqrtpi / (std::numbers::sqrt2 * 0.282095)) * (T(-0.5) * v.square()).exp();
          });
  }
}

/// y = a(x) for one row; y may be x's memory.   Tested: tests/ops/activation_test.cpp
template <class T, class X, class Y>
void activate_row(activation a, const X& x, Y&& y) {
  with_activation<T>(a, [&](const auto& value, const auto& /*change*/) { y.array() = value(x.array()); });
  if (a == activation::gelu_10) y.array() = y.array().min(T(10)) + (y.array() - y.array());
}

/// dx = dy a'(x) for one row; dx may be dy's memory.
template <class T, class Dy, class X, class Dx>
void activate_row_backward(activation a, const Dy& dy, const X& x, Dx&& dx) {
  with_activation<T>(a, [&](const auto& /*value*/, const auto& change) { dx.array() = change(dy.array(), x.array()); });
  if (a == activation::gelu_10) dx.array() = (x.array() < T(10)).select(dx.array(), T(0));
}

}  // namespace graft::ops
