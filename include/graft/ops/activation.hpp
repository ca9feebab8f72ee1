#pragma once
// The element-wise functions that may stand inside an adapter.

#include <concepts>

#include "graft/core/index.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft::ops {

/// y = a(x), n numbers; Y may be X. With s(x) = 1 / (1 + exp(-x)) and Phi(x) = (1 + erf(x / sqrt 2)) / 2:
///   gelu  x Phi(x)      gelu_10  the same, at most 10      gelu_new  x (1 + tanh k) / 2, k = sqrt(2 / pi) (x + 0.044715 x^3)
///   quick_gelu  x s(1.702 x)      swish  x s(x)      mish  x tanh(log(1 + exp x))      sigmoid  s(x)      tanh      linear  x
///   relu  max(x, 0)      relu2  max(x, 0)^2      relu6  min(max(x, 0), 6)      leaky_relu  max(x, 0.01 x)
///   laplace  (1 + erf((x - 0.707107) / (0.282095 sqrt 2))) / 2
/// What comes of an infinite x, which a sum became that was too large, is no finite number either, so that no answer hides it.
/// Source: transformers' activations.py; gelu: Hendrycks and Gimpel 2016, torch.nn.functional.gelu.
/// Tested: tests/ops/activation_test.cpp
template <std::floating_point T>
void activate_numbers(activation a, const T* x, T* y, index n);
/// dx = dy a'(x), n numbers; DX may be DY.
template <std::floating_point T>
void activate_numbers_backward(activation a, const T* dy, const T* x, T* dx, index n);

/// y = a(x) for one row; y may be x's memory.
template <class T, class X, class Y>
void activate_row(activation a, const X& x, Y&& y) {
  activate_numbers<T>(a, x.data(), y.data(), x.size());
}
/// dx = dy a'(x) for one row; dx may be dy's memory.
template <class T, class Dy, class X, class Dx>
void activate_row_backward(activation a, const Dy& dy, const X& x, Dx&& dx) {
  activate_numbers_backward<T>(a, dy.data(), x.data(), dx.data(), x.size());
}

}  // namespace graft::ops

#if !defined(GRAFT_COMPILED)
#include "graft/ops/activation-inl.hpp"  // IWYU pragma: export
#endif
