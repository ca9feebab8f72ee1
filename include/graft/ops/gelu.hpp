#pragma once
// The Gaussian error linear unit, erf form.

#include <cmath>
#include <numbers>
#include <unsupported/Eigen/SpecialFunctions>

#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"

namespace graft::ops {

/// y = x Phi(x),   Phi(x) = (1 + erf(x / sqrt 2)) / 2, for one row; y may be x's memory.
template <class T, class X, class Y>
void gelu_row(const X& x, Y&& y) {
  y.array() = T(0.5) * x.array() * (T(1) + (x.array() * T(1 / std::numbers::sqrt2)).erf());
}

/// dx = dy (Phi(x) + x phi(x)),   phi(x) = exp(-x^2 / 2) / sqrt(2 pi), for one row; dx may be dy's memory.
template <class T, class Dy, class X, class Dx>
void gelu_row_backward(const Dy& dy, const X& x, Dx&& dx) {
  constexpr T density = T(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  dx.array() = dy.array() * (T(0.5) * (T(1) + (x.array() * T(1 / std::numbers::sqrt2)).erf()) +
                             x.array() * density * (T(-0.5) * x.array().square()).exp());
}

/// gelu_row over the rows of x, y (N, F).
/// Source: Hendrycks and Gimpel 2016; torch.nn.functional.gelu.   Tested: tests/ops/gelu_test.cpp
template <class T>
void gelu_forward(const_view<T> x, view<T> y, context& ctx) {
  parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) gelu_row<T>(x.row(r), y.row(r));
  });
}

/// gelu_row_backward over the rows of dy, x, dx (N, F).
template <class T>
void gelu_backward(const_view<T> dy, const_view<T> x, view<T> dx, context& ctx) {
  parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) gelu_row_backward<T>(dy.row(r), x.row(r), dx.row(r));
  });
}

}  // namespace graft::ops
