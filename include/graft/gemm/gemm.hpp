#pragma once
// The one door to matrix products. Layers see `multiply<P>` and nothing else.

#include <cstdint>

#include "graft/core/context.hpp"
#include "graft/core/precision.hpp"
#include "graft/gemm/eigen.hpp"
#include "graft/gemm/onednn.hpp"

namespace graft {

enum class as : std::uint8_t { is, transposed };

/// C = op(A) op(B) + beta C,   op(A) (M, K), op(B) (K, N), C (M, N) row-major, any leading dimensions; C aliases neither A nor B.
/// beta = 0 does not read C.   Cost: 2 M N K operations on ctx.threads threads.
/// @throws shape_error  the dimensions do not fit
template <class P>
void multiply(as op_a, const_view<typename P::real> a, as op_b, const_view<typename P::real> b, typename P::real beta,
              view<typename P::real> c, context& ctx) {
  const index m = op_a == as::is ? a.rows() : a.cols();
  const index k = op_a == as::is ? a.cols() : a.rows();
  const index k_b = op_b == as::is ? b.rows() : b.cols();
  const index n = op_b == as::is ? b.cols() : b.rows();
  if (k != k_b || c.rows() != m || c.cols() != n) {
    throw shape_error("multiply: A is " + shape_text({m, k}) + ", B is " + shape_text({k_b, n}) + ", C is " + shape_text_of(c));
  }
  ++ctx.counters.products;
  if (m == 0 || n == 0) return;
  gemm_backend<typename P::backend>::multiply(op_a == as::transposed, a, op_b == as::transposed, b, beta, c);
}

}  // namespace graft
