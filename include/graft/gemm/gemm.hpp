#pragma once
// The door to matrix products: `multiply` for any two matrices, and packed factors (product.hpp) for those that are read more than once or
// whose product goes on in cache.

#include <omp.h>

#include <cstdint>
#include <exception>

#include "graft/core/context.hpp"
#include "graft/core/precision.hpp"
#include "graft/gemm/eigen.hpp"
#include "graft/gemm/onednn.hpp"
#include "graft/gemm/product.hpp"

namespace graft {

namespace detail {

/// Lets the libraries below use this thread alone, so that their sums do not depend on how many threads there are. In a team they do so by
/// themselves. Elsewhere they ask OpenMP for a number that every thread has for itself, and that it gets back: no other one sees it.
class one_thread {
 public:
  one_thread() {
    if (before_ > 1) omp_set_num_threads(1);
  }
  one_thread(const one_thread&) = delete;
  one_thread& operator=(const one_thread&) = delete;
  ~one_thread() {
    if (before_ > 1) omp_set_num_threads(before_);
  }

 private:
  int before_ = omp_in_parallel() != 0 ? 1 : omp_get_max_threads();
};

/// The library's product in pieces of C that depend on the shape alone.
template <class P>
void multiply_in_pieces(transpose op_a, const_view<typename P::real> a, transpose op_b, const_view<typename P::real> b,
                        typename P::real beta, view<typename P::real> c, int threads) {
  using real = typename P::real;
  constexpr index piece = 192;
  const bool by_rows = c.rows() > c.cols();
  const auto cut = [](const_view<real> m, bool rows, index begin, index n) {
    return rows ? m.window(begin, 0, n, m.cols()) : m.window(0, begin, m.rows(), n);
  };
  std::exception_ptr failure;  // of any thread
  parallel_for(by_rows ? c.rows() : c.cols(), piece, threads, [&](index begin, index end) {
    const one_thread alone;
    const index n = end - begin;
    const const_view<real> part_a = by_rows ? cut(a, op_a == transpose::no, begin, n) : a;
    const const_view<real> part_b = by_rows ? b : cut(b, op_b == transpose::yes, begin, n);
    const view<real> part_c = by_rows ? c.window(begin, 0, n, c.cols()) : c.window(0, begin, c.rows(), n);
    try {
      gemm_backend<typename P::backend>::multiply(op_a == transpose::yes, part_a, op_b == transpose::yes, part_b, beta, part_c);
    } catch (...) {
#pragma omp critical(graft_multiply_failed)
      failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

/// The product of packed factors, the shorter one on the left, whose packing may have to transpose.
template <class P, class A, class B>
void multiply_packed(transpose op_a, const const_view<A>& a, transpose op_b, const const_view<B>& b, typename P::real beta,
                     view<typename P::real> c, context& ctx) {
  using real = typename P::real;
  scratch::mark mark(ctx.memory);
  const auto flipped = [](transpose op) { return op == transpose::no ? transpose::yes : transpose::no; };
  const bool turned = c.rows() > c.cols() && op_a == transpose::yes;
  const auto add = [&](index row, index col, const auto& block) {
    const auto to = turned ? c.window(col, row, block.cols(), block.rows()) : c.window(row, col, block.rows(), block.cols());
    const index across = turned ? block.stride() : 1, down = turned ? 1 : block.stride();
    for (index i = 0; i < to.rows(); ++i) {
      const real* from = block.data() + i * down;
      real* own = to.row_data(i);
      if (beta == 0) {
        for (index j = 0; j < to.cols(); ++j) own[j] = from[j * across];
      } else {
        for (index j = 0; j < to.cols(); ++j) own[j] = from[j * across] + beta * own[j];
      }
    }
  };
  if (turned) {
    const auto left = packed_a<P>::pack(flipped(op_b), b, ctx);
    product<P>(left, packed_b<P>::pack(flipped(op_a), a, ctx), ctx, add);
  } else {
    const auto left = packed_a<P>::pack(op_a, a, ctx);
    product<P>(left, packed_b<P>::pack(op_b, b, ctx), ctx, add);
  }
}

}  // namespace detail

/// C = op(A) op(B) + beta C,   op(A) (M, K), op(B) (K, N), C (M, N) row-major, any leading dimensions; C aliases neither A nor B. A and B
/// are of P::real or P::operand.   beta = 0 does not read C.   Cost: 2 M N K operations on ctx.threads threads; the bits of C do not
/// depend on how many there are.
/// @throws shape_error  the dimensions do not fit
template <class P, class A, class B>
void multiply(transpose op_a, const_view<A> a, transpose op_b, const_view<B> b, typename P::real beta, view<typename P::real> c,
              context& ctx) {
  const index m = op_a == transpose::no ? a.rows() : a.cols();
  const index k = op_a == transpose::no ? a.cols() : a.rows();
  const index k_b = op_b == transpose::no ? b.rows() : b.cols();
  const index n = op_b == transpose::no ? b.cols() : b.rows();
  if (k != k_b || c.rows() != m || c.cols() != n) {
    throw shape_error("multiply: A is " + shape_text({m, k}) + ", B is " + shape_text({k_b, n}) + ", C is " + shape_text_of(c));
  }
  if (m == 0 || n == 0) return;
  if constexpr (std::is_same_v<typename P::operand, bfloat16>) {
    detail::multiply_packed<P>(op_a, a, op_b, b, beta, c, ctx);
  } else {
    ++ctx.counters.products;
    const timed time(ctx.times, operation::library_product);
    detail::multiply_in_pieces<P>(op_a, a, op_b, b, beta, c, ctx.threads);
  }
}

}  // namespace graft
