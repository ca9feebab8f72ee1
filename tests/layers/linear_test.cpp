#include "graft/layers/linear.hpp"

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::const_view;
using graft::f64;
using graft::matrix;
using graft::view;

TEST_CASE("linear has its closed form") {
  graft::linear<f64> layer("l", 3, 2);
  layer.weight.edit() << 1, 2, 3, 4, 5, 6;
  layer.bias.edit() << 10, 20;
  layer.weight.train();
  layer.bias.train();
  matrix<double> x(2, 3), y(2, 2), dy(2, 2), dx(2, 3), expected(2, 2);
  x << 1, 0, -1, 2, 1, 0;
  graft::context ctx;
  graft::linear<f64>::saved s;
  layer.forward(x, y, &s, ctx);
  expected << 8, 18, 14, 33;
  CHECK(y == expected);
  dy << 1, 0, 0, 2;
  view<double> out(dx);
  layer.backward(dy, s, &out, ctx);
  CHECK(dx == (matrix<double>(2, 3) << 1, 2, 3, 8, 10, 12).finished());
  CHECK(layer.weight.gradient() == (matrix<double>(2, 3) << 1, 0, -1, 4, 2, 0).finished());
  CHECK(layer.bias.gradient() == (matrix<double>(1, 2) << 1, 2).finished());
}

TEST_CASE("linear's gradients are its derivatives") {
  graft::linear<f64> layer("l", 4, 3);
  graft_test::randomize(layer, 1);
  graft::context ctx;
  graft_test::check_gradients(layer, std::array{graft_test::random_matrix(5, 4, 2)}, graft_test::random_matrix(5, 3, 3), ctx);
}

TEST_CASE("linear agrees with PyTorch") {
  graft::linear<f64> layer("l", 4, 6);
  graft_test::randomize(layer, 1);
  graft::context ctx;
  graft_test::layer_golden("linear").check_part(layer, std::array<std::string, 1>{"x"}, ctx);
}

TEST_CASE("a frozen linear keeps nothing, and input gradients can be added up") {
  graft::linear<f64> layer("l", 4, 3);
  graft_test::randomize(layer, 1, false);
  const auto x = graft_test::random_matrix(5, 4, 2);
  const auto dy = graft_test::random_matrix(5, 3, 3);
  matrix<double> y(5, 3), dx = matrix<double>::Ones(5, 4);
  graft::context ctx;
  graft::linear<f64>::saved s;
  layer.forward(x, y, &s, ctx);
  CHECK(s.x.bytes() == 0);
  layer.bias.train();  // a bias needs no x either
  layer.forward(x, y, &s, ctx);
  CHECK(s.x.bytes() == 0);
  layer.product_back(dy, {}, ctx, graft::ops::accumulate{view<double>(dx), 2.0});
  CHECK(graft_test::largest_difference(dx, matrix<double>((dy * layer.weight.value()).array() + 2)) <= 1e-14);
  CHECK_THROWS_WITH(layer.forward(y, y, nullptr, ctx), "layer 'l.weight': x is (5, 3), weight (3, 4) needs 4 columns");
}
