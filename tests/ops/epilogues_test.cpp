#include "graft/ops/epilogues.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <optional>

#include "support/random_values.hpp"

namespace {

using graft::const_view;
using graft::matrix;
using graft::view;
namespace ops = graft::ops;

constexpr graft::index epilogue_rows = 40, epilogue_columns = 70;  // neither a multiple of a block's side

matrix<double> drawn(graft::index rows, graft::index cols, std::uint64_t seed) {
  return graft_test::random_matrix<double>(rows, cols, seed);
}

/// What EPILOGUES make of PRODUCT, block by block, as a product hands them over.
template <class T, class... E>
matrix<T> through(const matrix<T>& product, const E&... epilogues) {
  constexpr graft::index side = graft::detail::block_side;
  matrix<T> all = product;
  const auto f = graft::in_order<std::conditional_t<std::is_same_v<T, float>, graft::f32, graft::f64>>(epilogues...);
  for (graft::index col = 0; col < all.cols(); col += side) {
    for (graft::index row = 0; row < all.rows(); row += side) {
      const graft::index rows = std::min(side, all.rows() - row), cols = std::min(side, all.cols() - col);
      view<T> block = view<T>(all).window(row, col, rows, cols);
      f(row, col, block);
    }
  }
  return all;
}

const matrix<double>& of_a_product() {
  static const matrix<double> product = drawn(epilogue_rows, epilogue_columns, 1);
  return product;
}

}  // namespace

TEST_CASE("store writes what it is given, all of it or a range of columns, into any type") {
  const matrix<double>& product = of_a_product();
  matrix<double> to(epilogue_rows, epilogue_columns), first(epilogue_rows, 45), rest(epilogue_rows, 25);
  const auto left = through(product, ops::store{view<double>(to)}, ops::store{view<double>(first)}, ops::store{view<double>(rest), 45});
  CHECK(left == product);
  CHECK(to == product);
  CHECK(first == product.leftCols(45));
  CHECK(rest == product.rightCols(25));
  graft::buffer<graft::bfloat16> rounded;
  const matrix<float> single = product.cast<float>();
  through(single, ops::store{rounded.resize(epilogue_rows, epilogue_columns)},
          ops::store{view<graft::bfloat16>(nullptr, 0, epilogue_columns)});
  CHECK(static_cast<float>(rounded.get()(39, 69)) == static_cast<float>(graft::bfloat16(single(39, 69))));
}

TEST_CASE("store makes the input of another product") {
  const matrix<double>& product = of_a_product();
  const matrix<double> w = drawn(epilogue_columns, 33, 2);
  graft::context ctx;
  const auto x = graft::product_input<graft::f64>::take(epilogue_rows, epilogue_columns, ctx);
  through(product, ops::store{x});
  matrix<double> y(epilogue_rows, 33);
  graft::product<graft::f64>(x, {const_view<double>(w), graft::transpose::no}, ctx, ops::store{view<double>(y)});
  CHECK((y - product * w).cwiseAbs().maxCoeff() <= 1e-13);
}

TEST_CASE("add and accumulate add a matrix, which a factor of zero does not read") {
  const matrix<double>& product = of_a_product();
  const matrix<double> x = drawn(epilogue_rows, epilogue_columns, 3);
  CHECK(through(product, ops::add{const_view<double>(x)}) == product + x);
  CHECK(graft_test::largest_difference(through(product, ops::add{const_view<double>(x), 0.5}), matrix<double>(product + 0.5 * x)) <= 1e-15);
  matrix<double> sum = x, fresh = matrix<double>::Constant(epilogue_rows, epilogue_columns, std::numeric_limits<double>::quiet_NaN());
  through(product, ops::accumulate{view<double>(sum)});
  CHECK(sum == product + x);
  through(product, ops::accumulate{view<double>(fresh), 0.0});
  CHECK(fresh == product);
}

TEST_CASE("a bias is added to every row, a gate scales it, a number everything") {
  const matrix<double>& product = of_a_product();
  const matrix<double> b = drawn(1, epilogue_columns, 4), g = drawn(epilogue_rows, 1, 5);
  CHECK(through(product, ops::add_row{const_view<double>(b)}) == product.rowwise() + b.row(0));
  CHECK(through(product, ops::scale_rows{const_view<double>(g)}) == matrix<double>(product.array().colwise() * g.col(0).array()));
  CHECK(through(product, ops::scale<double>{3.0}) == 3 * product);
  CHECK(through(product, ops::scale<double>{1.0}) == product);
}

TEST_CASE("a low-rank term is added forward, and backward under its mask") {
  const matrix<double>& product = of_a_product();
  const matrix<double> u = drawn(epilogue_rows, 3, 6), b = drawn(epilogue_columns, 3, 7), a = b.transpose();
  const matrix<double> term = u * b.transpose();
  CHECK(graft_test::largest_difference(through(product, ops::add_low_rank<double>{u, b}), matrix<double>(product + term)) <= 1e-14);
  graft::context ctx;
  for (const bool training : {false, true}) {
    std::optional<graft::training_step> step;
    if (training) step.emplace(ctx, 0);
    const ops::matrix_dropout<double> mask({0.5, 9}, epilogue_columns, ctx);
    matrix<double> masked = term;
    view<double> to_mask(masked);
    mask(0, 0, to_mask);
    CHECK((masked == term) == !training);
    const auto sum = through(product, ops::add_low_rank_backward<double>{u, a, mask});
    CHECK(graft_test::largest_difference(sum, matrix<double>(product + masked)) <= 1e-14);
  }
}

TEST_CASE("a function is applied, and its derivative kept or computed anew") {
  const matrix<double>& z = of_a_product();
  const matrix<double> ones = matrix<double>::Ones(epilogue_rows, epilogue_columns);
  for (const auto a : {graft::activation::gelu, graft::activation::relu, graft::activation::tanh}) {
    matrix<double> value(epilogue_rows, epilogue_columns), slope(epilogue_rows, epilogue_columns), kept(epilogue_rows, epilogue_columns);
    for (graft::index r = 0; r < epilogue_rows; ++r) {
      ops::activate_row<double>(a, z.row(r), value.row(r));
      ops::activate_row_backward<double>(a, ones.row(r), z.row(r), slope.row(r));
    }
    CHECK(graft_test::largest_difference(through(z, ops::activate{a}), value) <= 1e-15);
    CHECK(graft_test::largest_difference(through(z, ops::activate{a, view<double>(kept)}), value) <= 1e-15);
    CHECK(graft_test::largest_difference(kept, slope) <= 1e-15);
    const const_view<double> of_z(z), of_kept(kept);
    CHECK(graft_test::largest_difference(through(ones, ops::scale_by_derivative{of_kept}), slope) <= 1e-15);
    CHECK(graft_test::largest_difference(through(ones, ops::activate_backward{a, of_z}), slope) <= 1e-15);
  }
}

TEST_CASE("a dropout's mask is an epilogue: the blocks of a matrix are dropped out as the matrix is") {
  const matrix<double>& product = of_a_product();
  graft::context ctx;
  const graft::training_step training(ctx, 0);
  matrix<double> whole = product;
  ops::dropout<double>(whole, 0.3, 5, graft::rows_of::tokens, ctx);
  CHECK(through(product, ops::matrix_dropout<double>(0.3, 5, graft::rows_of::tokens, epilogue_columns, ctx)) == whole);
}
