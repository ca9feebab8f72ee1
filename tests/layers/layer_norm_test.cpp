#include "graft/layers/layer_norm.hpp"

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::f64;
using graft::matrix;

TEST_CASE("a fresh LayerNorm has its closed form") {
  graft::layer_norm<f64> layer("n", 3, 1.0 / 3);
  matrix<double> x(2, 3), y(2, 3), expected(2, 3);
  x << 1, 2, 3, 4, 4, 4;
  expected << -1, 0, 1, 0, 0, 0;  // the first row's variance is 2/3
  graft::context ctx;
  layer.forward(x, y, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-15);
  CHECK(layer.weight.name == "n.weight");
  CHECK(layer.bias.name == "n.bias");
}

TEST_CASE("LayerNorm's gradients are its derivatives") {
  graft::layer_norm<f64> layer("n", 6, 1e-5);
  graft_test::randomize(layer, 1);
  graft::context ctx;
  graft_test::check_gradients(layer, std::array{graft_test::random_matrix(5, 6, 2)}, graft_test::random_matrix(5, 6, 3), ctx);
}

TEST_CASE("LayerNorm agrees with PyTorch") {
  const graft_test::layer_golden golden("layer_norm");
  graft::layer_norm<f64> layer("n", 8, golden.matrix("eps")(0, 0));
  graft_test::randomize(layer, 1);
  graft::context ctx;
  golden.check_part(layer, std::array<std::string, 1>{"x"}, ctx);
}

TEST_CASE("a LayerNorm refuses another width") {
  const graft::layer_norm<f64> layer("n", 6, 1e-5);
  matrix<double> x(2, 5);
  graft::context ctx;
  CHECK_THROWS_WITH(layer.forward(x, x, nullptr, ctx), "layer 'n.weight': x is (2, 5), needs 6 columns");
}
