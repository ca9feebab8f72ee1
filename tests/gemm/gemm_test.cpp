#include "graft/gemm/gemm.hpp"

#include <omp.h>

#include <catch2/catch.hpp>
#include <limits>
#include <optional>
#include <thread>

#include "support/random_values.hpp"
#include "support/tile_paths.hpp"

using graft::const_view;
using graft::matrix;
using graft::transpose;
using graft::view;

namespace {

/// C = op(A) op(B) + beta C for one shape, on windows of wider matrices when PADDED, against a loop in double; the bound is
/// (K + 2) eps (|op(A)| |op(B)| + |beta C|) for each element.
template <class P>
void check_product(transpose op_a, transpose op_b, graft::index m, graft::index k, graft::index n, double beta, bool padded,
                   std::optional<graft::tile_path> tiles = {}) {
  using T = typename P::real;
  const graft::index extra = padded ? 3 : 0;
  const auto stored = [&](transpose op, graft::index rows, graft::index cols, std::uint64_t seed) {
    if (op == transpose::yes) std::swap(rows, cols);
    return graft_test::random_matrix<T>(rows + extra, cols + extra, seed);
  };
  auto a_memory = stored(op_a, m, k, 1);
  auto b_memory = stored(op_b, k, n, 2);
  if constexpr (std::is_same_v<typename P::operand, graft::bfloat16>) {  // what the product reads: its own error is that of f32 sums
    for (auto* memory : {&a_memory, &b_memory}) *memory = memory->template cast<graft::bfloat16>().template cast<T>().eval();
  }
  matrix<T> c_memory = stored(transpose::no, m, n, 3);
  const auto inside = [&](matrix<T>& memory) {
    return view<T>(memory).window(extra > 0 ? 1 : 0, extra > 0 ? 2 : 0, memory.rows() - extra, memory.cols() - extra);
  };
  const const_view<T> a(inside(a_memory)), b(inside(b_memory));
  view<T> c = inside(c_memory);
  const matrix<T> before = c;
  const matrix<T> around = c_memory;
  if (beta == 0) c.setConstant(std::numeric_limits<T>::quiet_NaN());  // must not be read

  graft::context ctx;
  ctx.tiles = tiles;
  graft::multiply<P>(op_a, a, op_b, b, static_cast<T>(beta), c, ctx);

  INFO(P::name << ", " << (op_a == transpose::no ? "A" : "A^T") << " (" << m << ", " << k << "), " << (op_b == transpose::no ? "B" : "B^T")
               << " (" << k << ", " << n << "), beta " << beta << ", windows " << padded);
  CHECK(ctx.counters.products == (m == 0 || n == 0 ? 0 : 1));
  graft::index wrong = 0;
  for (graft::index i = 0; i < m; ++i) {
    for (graft::index j = 0; j < n; ++j) {
      double sum = beta == 0 ? 0.0 : beta * static_cast<double>(before(i, j));
      double sizes = std::abs(sum);
      for (graft::index l = 0; l < k; ++l) {
        const double product =
            static_cast<double>(op_a == transpose::no ? a(i, l) : a(l, i)) * static_cast<double>(op_b == transpose::no ? b(l, j) : b(j, l));
        sum += product;
        sizes += std::abs(product);
      }
      const double bound = static_cast<double>(k + 2) * static_cast<double>(std::numeric_limits<T>::epsilon()) * sizes;
      wrong += !(std::abs(static_cast<double>(c(i, j)) - sum) <= bound);
    }
  }
  CHECK(wrong == 0);
  c = before;
  CHECK((c_memory.array() == around.array()).all());  // nothing beside the window was written
}

template <class P>
void check_all(std::optional<graft::tile_path> tiles = {}) {
  // each pair of sizes meets every factor of what was there, and windows as well as whole matrices
  const graft::index sizes[] = {0, 1, 3, 16, 33, 70};
  const double betas[] = {0.0, 1.0, -0.5};
  for (const transpose op_a : {transpose::no, transpose::yes}) {
    for (const transpose op_b : {transpose::no, transpose::yes}) {
      for (int m = 0; m < 6; ++m) {
        for (int k = 0; k < 6; ++k) {
          for (int n = 0; n < 6; ++n) {
            const int turn = (m + k + n) % 6;
            check_product<P>(op_a, op_b, sizes[m], sizes[k], sizes[n], betas[turn / 2], turn % 2 == 1, tiles);
          }
        }
      }
      check_product<P>(op_a, op_b, 37, 512, 65, 1, true, tiles);  // more than one block
    }
  }
}

template <class P>
void check_refusals() {
  using T = typename P::real;
  graft::context ctx;
  const matrix<T> a(2, 3), b(4, 5);
  matrix<T> c(2, 5);
  const const_view<T> a_view(a), b_view(b);
  CHECK_THROWS_AS(graft::multiply<P>(transpose::no, a_view, transpose::no, b_view, T(0), c, ctx), graft::shape_error);
  CHECK_THROWS_WITH(graft::multiply<P>(transpose::no, a_view, transpose::yes, b_view, T(0), c, ctx),
                    "multiply: A is (2, 3), B is (5, 4), C is (2, 5)");
  const matrix<T> fits(3, 4);
  CHECK_THROWS_WITH(graft::multiply<P>(transpose::no, a_view, transpose::no, const_view<T>(fits), T(0), c, ctx),
                    "multiply: A is (2, 3), B is (3, 4), C is (2, 5)");
  CHECK(ctx.counters.products == 0);
}

}  // namespace

TEST_CASE("products in f64 agree with a loop for every transpose and ragged shape") { check_all<graft::f64>(); }
TEST_CASE("products in f32 agree with a loop for every transpose and ragged shape") { check_all<graft::f32>(); }
TEST_CASE("products in bf16 agree with a loop over rounded factors, on every path") {
  const graft_test::tile_paths paths;
  for (const auto path : paths) check_all<graft::bf16>(path);
}
TEST_CASE("products whose shapes do not fit are refused") {
  check_refusals<graft::f64>();
  check_refusals<graft::f32>();
  check_refusals<graft::bf16>();
}

TEST_CASE("a product leaves the number of OpenMP's threads as it was, and never changes that of other threads") {
  const int before = omp_get_max_threads();
  int seen = 0, after = 0, of_others = 0;
  omp_set_num_threads(3);
  std::thread([&] { of_others = omp_get_max_threads(); }).join();
  {
    const graft::detail::one_thread alone;
    seen = omp_get_max_threads();
    int now = 0;
    std::thread([&] { now = omp_get_max_threads(); }).join();
    CHECK(now == of_others);
  }
  after = omp_get_max_threads();
  omp_set_num_threads(before);
  CHECK(seen == 1);
  CHECK(after == 3);
}

TEMPLATE_TEST_CASE("a product's x is a matrix, one made ready, or rows that another stored, weights are packed or not, or in 8 bits", "",
                   graft::f32, graft::f64, graft::bf16) {
  using P = TestType;
  using real = typename P::real;
  constexpr graft::index rows = 40, depth = 70, columns = 50;
  graft::context ctx;
  const matrix<real> x = graft_test::random_matrix<real>(rows, depth, 1);
  const matrix<real> b = graft_test::random_matrix<real>(1, columns, 2);
  auto w = graft::parameter<real>::factor("w", graft::parameter_role::weight, columns, depth);
  w.edit() = graft_test::random_matrix<real>(columns, depth, 3);
  const auto y_of = [&](const graft::product_input<P>& in) {
    matrix<real> y(rows, columns);
    graft::product<P>(in, {{w, transpose::yes}, b}, ctx, [&](graft::index row, graft::index col, const view<real>& block) {
      y.block(row, col, block.rows(), block.cols()) = block;
    });
    return y;
  };
  const auto stored = graft::product_input<P>::take(rows, depth, ctx);
  const const_view<real> all(x);
  for (graft::index row = 0; row < rows; row += 32) {
    for (graft::index col = 0; col < depth; col += 32) {
      stored.store(row, col, all.window(row, col, std::min<graft::index>(32, rows - row), std::min<graft::index>(32, depth - col)));
    }
  }
  CHECK(stored.rows() == rows);
  CHECK(stored.depth() == depth);
  const matrix<real> y = y_of(x);
  CHECK((y - ((x * w.value().transpose()).rowwise() + b.row(0))).cwiseAbs().maxCoeff() <= 0.5);
  CHECK(y_of(graft::product_input<P>(x).ready(ctx)) == y);
  CHECK(y_of(stored) == y);
  graft::pack_weight<P>(w, true, 1);
  CHECK(y_of(x) == y);
  CHECK(y_of(stored) == y);
  graft::pack_int8_weight(w, 1);
  const matrix<real> rounded = y_of(x);
  CHECK(rounded != y);
  CHECK((rounded - y).cwiseAbs().maxCoeff() <= 0.5);
  CHECK(y_of(graft::product_input<P>(x).ready(ctx)) == rounded);  // the matrix is rounded, and not what is ready

  w.train();
  matrix<real> expected = w.gradient();
  const matrix<real> dy = graft_test::random_matrix<real>(rows, columns, 4);
  graft::multiply<P>(transpose::yes, const_view<real>(dy), transpose::no, all, real(0), view<real>(expected), ctx);
  graft::add_weight_gradient<P>(w, dy, x, ctx);
  CHECK(w.gradient() == expected);
  CHECK(ctx.counters.weight_gradient_products == 1);
}
