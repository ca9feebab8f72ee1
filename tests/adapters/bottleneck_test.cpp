#include "graft/adapters/bottleneck.hpp"

#include "support/gradient_check.hpp"

using graft::f64;
using graft::matrix;

TEST_CASE("a bottleneck has its closed form, and is the identity before it is initialized") {
  graft::bottleneck<f64> layer("a", 3, 2);
  matrix<double> h(2, 3), y(2, 3), expected(2, 3);
  h << 1, -1, 9, 0, 1, 9;
  graft::context ctx;
  layer.forward(h, y, nullptr, ctx);
  CHECK(y == h);
  layer.down_project.weight.edit() << 1, 0, 0, 0, 1, 0;
  layer.up_project.weight.edit() << 1, 0, 0, 1, 1, 1;
  layer.up_project.bias.edit() << 0, 0, 5;
  layer.forward(h, y, nullptr, ctx);
  const double up = 0.8413447460685429;      // gelu(1)
  const double down = -0.15865525393145707;  // gelu(-1)
  expected << 1 + up, -1 + down, 9 + up + down + 5, 0, 1 + up, 9 + up + 5;
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
}

TEST_CASE("a bottleneck's gradients are its derivatives") {
  graft::bottleneck<f64> layer("a", 5, 3);
  graft_test::randomize(layer, 1);
  graft::context ctx;
  graft_test::check_gradients(layer, std::array{graft_test::random_matrix(4, 5, 2)}, graft_test::random_matrix(4, 5, 3), ctx);
}

TEST_CASE("a frozen bottleneck keeps z alone") {
  graft::bottleneck<f64> layer("a", 5, 3);
  graft_test::randomize(layer, 1, false);
  const auto h = graft_test::random_matrix(4, 5, 2);
  matrix<double> y(4, 5);
  graft::context ctx;
  graft::bottleneck<f64>::saved s;
  layer.forward(h, y, &s, ctx);
  CHECK(s.z.bytes() == 4 * 3 * sizeof(double));
  CHECK(s.down.x.bytes() == 0);
  CHECK(s.up.x.bytes() == 0);
}
