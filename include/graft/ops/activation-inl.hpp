#pragma once
// Bodies of graft/ops/activation.hpp: compiled once, as thirteen functions and their derivatives take long.

#include <cmath>
#include <numbers>
#include <unsupported/Eigen/SpecialFunctions>

#include "graft/core/compiled.hpp"
#include "graft/core/types.hpp"
#include "graft/ops/activation.hpp"

namespace graft::ops {

/// Calls f(value, change) with the functions of arrays   value(x) = a(x)   and   change(dy, x) = dy a'(x);   of gelu_10 it is gelu's.
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

template <std::floating_point T>
void activate_numbers(activation a, const T* x, T* y, index n) {
  const const_view<T> from(x, 1, n);
  view<T> to(y, 1, n);
  with_activation<T>(a, [&](const auto& value, const auto& /*change*/) { to.row(0).array() = value(from.row(0).array()); });
  if (a == activation::gelu_10) to.row(0).array() = to.row(0).array().min(T(10)) + (to.row(0).array() - to.row(0).array());
}

template <std::floating_point T>
void activate_numbers_backward(activation a, const T* dy, const T* x, T* dx, index n) {
  const const_view<T> gradient(dy, 1, n), from(x, 1, n);
  view<T> to(dx, 1, n);
  with_activation<T>(
      a, [&](const auto& /*value*/, const auto& change) { to.row(0).array() = change(gradient.row(0).array(), from.row(0).array()); });
  if (a == activation::gelu_10) to.row(0).array() = (from.row(0).array() < T(10)).select(to.row(0).array(), T(0));
}

#if defined(GRAFT_COMPILED)
template void activate_numbers(activation, const float*, float*, index);
template void activate_numbers(activation, const double*, double*, index);
template void activate_numbers_backward(activation, const float*, const float*, float*, index);
template void activate_numbers_backward(activation, const double*, const double*, double*, index);
#endif

}  // namespace graft::ops
