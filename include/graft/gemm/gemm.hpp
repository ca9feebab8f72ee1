#pragma once
// The door to matrix products: `product` for what goes on in cache, block by block, and `multiply` for any two matrices.

#include <omp.h>

#include <exception>
#include <optional>
#include <span>
#include <type_traits>
#include <variant>

#include "graft/core/context.hpp"
#include "graft/core/gradients.hpp"
#include "graft/core/parameter.hpp"
#include "graft/gemm/int8_product.hpp"
#include "graft/gemm/library.hpp"
#include "graft/gemm/product.hpp"

namespace graft {

/// The x of a product y = x W^T + b, (rows, depth): a matrix, or rows that another product stored for this one. Borrowed memory.
template <class P>
class product_input {
 public:
  using real = typename P::real;
  using operand = typename P::operand;

  /// A matrix of P::real or P::operand.
  template <class M>
  requires requires { typename M::Scalar; }
  product_input(const M& x)  // NOLINT: implicit on purpose
      : from_(std::in_place_type<const_view<typename M::Scalar>>, x), rows_(x.rows()), depth_(x.cols()) {}
  /// Rows for another product to store (ops::store), in scratch memory.
  static product_input take(index rows, index depth, context& ctx) { return {packed_a<P>::take(rows, depth, ctx), rows, depth}; }

  index rows() const { return rows_; }
  index depth() const { return depth_; }
  /// The same for several products, in scratch memory: they need not each order its numbers.
  product_input ready(context& ctx) const {
    product_input x = *this;
    x.packed_.emplace(packed(ctx));
    return x;
  }

  /// A copy with what F(numbers, row, col, n) makes of some of a row at a time.
  template <class F>
  product_input changed(context& ctx, F&& f) const {
    return {packed(ctx).changed(ctx, f), rows_, depth_};
  }
  /// F(matrix) of the matrix that it is, an empty one where another product stored its rows.
  template <class F>
  void visit(F&& f) const {
    std::visit(f, from_);
  }
  /// Writes BLOCK, whose first element is (ROW, COL), multiples of 32, to rows that were taken.
  template <class Block>
  void store(index row, index col, const Block& block) const {
    packed_->store(row, col, block);
  }
  /// As kernels read it, in P's numbers or in 8 bits.
  packed_a<P> packed(context& ctx) const {
    if (packed_) return *packed_;
    return std::visit([&](const auto& x) { return packed_a<P>::pack(transpose::no, x, ctx); }, from_);
  }
  int8_rows rounded(context& ctx) const {
    if (stored_) return int8_rows::of(*packed_, ctx);
    return std::visit([&](const auto& x) { return int8_rows::of(x, ctx); }, from_);
  }

 private:
  product_input(const packed_a<P>& rows, index n, index depth) : packed_(rows), stored_(true), rows_(n), depth_(depth) {}

  std::conditional_t<std::is_same_v<real, operand>, std::variant<const_view<real>>, std::variant<const_view<real>, const_view<operand>>>
      from_{const_view<real>(nullptr, 0, 0)};
  std::optional<packed_a<P>> packed_{};
  bool stored_ = false;  // from_ is nothing
  index rows_, depth_;
};

/// The W and b of a product y = x W^T + b, or the W of dx = dy W: a parameter, or any matrix. Borrowed memory.
template <class P>
class product_weight {
 public:
  using real = typename P::real;

  /// op(W), where FORMS, if there are any, are what W is packed as.
  product_weight(const const_view<real>& w, transpose op, const packed_weight* forms = nullptr) : w_(w), op_(op), forms_(forms) {}
  product_weight(const parameter<real>& w, transpose op) : product_weight(w.value(), op, w.packed()) {}
  product_weight(const product_weight& w, const const_view<real>& b) : product_weight(w) { bias = b.data(); }

  const real* bias = nullptr;  // (columns), is added to each row, if there is one

  /// As kernels read it: in P's numbers, ordered now unless it is; or in 8 bits, if it was rounded.
  packed_b<P> packed(context& ctx) const {
    const packed_bytes* form = forms_ == nullptr ? nullptr : op_ == transpose::no ? &forms_->backward : &forms_->forward;
    if (form == nullptr || form->empty()) return packed_b<P>::pack(op_, w_, ctx);
    const auto* memory = reinterpret_cast<const typename P::operand*>(form->data());
    return op_ == transpose::no ? packed_b<P>(memory, w_.rows(), w_.cols()) : packed_b<P>(memory, w_.cols(), w_.rows());
  }
  bool is_int8() const { return forms_ != nullptr && op_ == transpose::yes && !forms_->int8.empty(); }
  int8_weight int8() const { return {forms_->int8.data(), w_.cols(), w_.rows()}; }
  index columns() const { return op_ == transpose::no ? w_.cols() : w_.rows(); }

 private:
  const_view<real> w_;
  transpose op_;
  const packed_weight* forms_;
};

/// Products of the same XS, several of T terms each: calls f(i, row, col, block) for every block of y_i = sum_t XS[t] WEIGHTS[i T + t] +
/// b_i on ctx.threads threads, as `products` of product.hpp; b_i is that of WEIGHTS[i T]. Where all WEIGHTS are in 8 bits, XS are rounded,
/// too; these are products of one term.
template <class P>
void products(std::span<const product_input<P>> xs, std::span<const product_weight<P>> weights, context& ctx, blocks_function<P> f);

/// y = x W^T + b, or x W, as WEIGHT says, every block of which goes through EPILOGUES (ops/epilogues.hpp) while it is in cache.
template <class P, class... E>
void product(const product_input<P>& x, const product_weight<P>& weight, context& ctx, const E&... epilogues) {
  scratch::mark mark(ctx.memory);
  products<P>(std::span(&x, 1), std::span(&weight, 1), ctx,
              [&](index, index row, index col, view<typename P::real>& block) { (epilogues(row, col, block), ...); });
}

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

/// The library's product in blocks of C that depend on the shape alone.
template <class P>
void multiply_in_blocks(transpose op_a, const_view<typename P::real> a, transpose op_b, const_view<typename P::real> b,
                        typename P::real beta, view<typename P::real> c, int threads) {
  using real = typename P::real;
  constexpr index block_size = 192;
  const bool by_rows = c.rows() > c.cols();
  const auto cut = [](const auto& m, bool rows, index begin, index n) {
    return rows ? m.window(begin, 0, n, m.cols()) : m.window(0, begin, m.rows(), n);
  };
  std::exception_ptr failure;  // of any thread
  parallel_for(by_rows ? c.rows() : c.cols(), block_size, threads, [&](index begin, index end) {
    const one_thread alone;
    const index n = end - begin;
    const const_view<real> part_a = by_rows ? cut(a, op_a == transpose::no, begin, n) : a;
    const const_view<real> part_b = by_rows ? b : cut(b, op_b == transpose::yes, begin, n);
    try {
      library_product(op_a == transpose::yes, part_a, op_b == transpose::yes, part_b, beta, cut(c, by_rows, begin, n));
    } catch (...) {
#pragma omp critical(graft_multiply_failed)
      failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

/// The product of packed operands, the shorter one on the left, whose packing may have to transpose.
template <class P, class A, class B>
void multiply_packed(transpose op_a, const const_view<A>& a, transpose op_b, const const_view<B>& b, typename P::real beta,
                     view<typename P::real> c, context& ctx) {
  using real = typename P::real;
  scratch::mark mark(ctx.memory);
  const auto flipped = [](transpose op) { return op == transpose::no ? transpose::yes : transpose::no; };
  const bool swapped = c.rows() > c.cols() && op_a == transpose::yes;
  const auto add = [&](index row, index col, const auto& block) {
    const auto to = swapped ? c.window(col, row, block.cols(), block.rows()) : c.window(row, col, block.rows(), block.cols());
    const index across = swapped ? block.stride() : 1, down = swapped ? 1 : block.stride();
    for (index i = 0; i < to.rows(); ++i) {
      const real* from = block.data() + i * down;
      real* out = to.row_data(i);
      if (beta == 0) {
        for (index j = 0; j < to.cols(); ++j) out[j] = from[j * across];
      } else {
        for (index j = 0; j < to.cols(); ++j) out[j] = from[j * across] + beta * out[j];
      }
    }
  };
  const auto left = swapped ? packed_a<P>::pack(flipped(op_b), b, ctx) : packed_a<P>::pack(op_a, a, ctx);
  product<P>(left, swapped ? packed_b<P>::pack(flipped(op_a), a, ctx) : packed_b<P>::pack(op_b, b, ctx), ctx, add);
}

}  // namespace detail

/// C = op(A) op(B) + beta C,   op(A) (M, K), op(B) (K, N), C (M, N) row-major, any leading dimensions; C aliases neither A nor B. A and B
/// are of P::real or P::operand.   beta = 0 does not read C.   Cost: 2 M N K operations on ctx.threads threads; the bits of C do not
/// depend on how many there are.
/// @throws shape_error  the dimensions do not fit
template <class P, class A, class B>
void multiply(transpose op_a, const_view<A> a, transpose op_b, const_view<B> b, typename P::real beta, view<typename P::real> c,
              context& ctx) {
  const bool as_a = op_a == transpose::no, as_b = op_b == transpose::no;
  const index m = as_a ? a.rows() : a.cols(), k = as_a ? a.cols() : a.rows();
  const index k_b = as_b ? b.rows() : b.cols(), n = as_b ? b.cols() : b.rows();
  if (k != k_b || c.rows() != m || c.cols() != n) {
    throw shape_error("multiply: A is " + shape_text({m, k}) + ", B is " + shape_text({k_b, n}) + ", C is " +
                      shape_text({c.rows(), c.cols()}));
  }
  if (m == 0 || n == 0) return;
  if constexpr (std::is_same_v<typename P::operand, bfloat16>) {
    detail::multiply_packed<P>(op_a, a, op_b, b, beta, c, ctx);
  } else {
    ++ctx.counters.products;
    const timed time(ctx.times, operation::library_product);
    detail::multiply_in_blocks<P>(op_a, a, op_b, b, beta, c, ctx.threads);
  }
}

/// dW += dy^T x, if W is trained; DY and X are matrices of P::real or P::operand.
template <class P, class Dy, class X>
void add_weight_gradient(parameter<typename P::real>& w, const Dy& dy, const X& x, context& ctx) {
  if (!w.is_trained()) return;
  ++ctx.counters.weight_gradient_products;
  multiply<P>(transpose::yes, const_view<typename Dy::Scalar>(dy), transpose::no, const_view<typename X::Scalar>(x), typename P::real(1),
              gradient_of(w, ctx), ctx);
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/gemm/gemm-inl.hpp"  // IWYU pragma: export
#endif
