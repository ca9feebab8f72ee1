#pragma once
// Matrix products on Eigen, any scalar: the back end of f64, and the one that the others are tested against.

#include "graft/core/parameter.hpp"
#include "graft/core/precision.hpp"
#include "graft/core/types.hpp"

namespace graft {

template <class Backend>
struct gemm_backend;

/// Eigen's product, C = op(A) op(B) + beta C, which reads C where beta is not 0.
template <>
struct gemm_backend<eigen_backend> {
  template <class T>
  static void multiply(bool transpose_a, const_view<T> a, bool transpose_b, const_view<T> b, T beta, view<T> c) {
    const auto store = [&](const auto& product) {
      if (beta == T(0)) {
        c.noalias() = product;
      } else {
        if (beta != T(1)) c *= beta;
        c.noalias() += product;
      }
    };
    if (!transpose_a && !transpose_b) store(a * b);
    if (!transpose_a && transpose_b) store(a * b.transpose());
    if (transpose_a && !transpose_b) store(a.transpose() * b);
    if (transpose_a && transpose_b) store(a.transpose() * b.transpose());
  }
};

}  // namespace graft
