#pragma once
// Products of the libraries: oneDNN's in f32, Eigen's in f64.

#include <concepts>

#include "graft/core/types.hpp"

namespace graft::detail {

/// C = op(A) op(B) + beta C on this thread and those that the library may take, by oneDNN; C is not read where beta is 0.
/// @throws backend_error  it refuses
void library_product(bool transpose_a, const_view<float> a, bool transpose_b, const_view<float> b, float beta, view<float> c);
/// The same by Eigen. A template, so that who never trains in f64 does not compile Eigen's products.
template <std::same_as<double> T>
void library_product(bool transpose_a, const_view<T> a, bool transpose_b, const_view<T> b, T beta, view<T> c);

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/gemm/library-inl.hpp"  // IWYU pragma: export
#endif
