#include "graft/layers/feed_forward.hpp"

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::f64;
using graft::matrix;

TEST_CASE("feed-forward has its closed form") {
  graft::feed_forward<f64> layer("f", {3, 2});
  layer.intermediate.weight.edit() << 1, 0, 0, 0, 1, 0;
  layer.output.weight.edit() << 1, 0, 0, 1, 1, 1;
  layer.output.bias.edit() << 0, 0, 5;
  matrix<double> x(2, 3), h(2, 3), expected(2, 3);
  x << 1, -1, 9, 0, 1, 9;
  const double up = 0.8413447460685429;      // gelu(1)
  const double down = -0.15865525393145707;  // gelu(-1)
  expected << up, down, up + down + 5, 0, up, up + 5;
  graft::context ctx;
  layer.forward(x, h, nullptr, ctx);
  CHECK(graft_test::largest_difference(h, expected) <= 1e-14);
}

TEST_CASE("feed-forward's gradients are its derivatives, with dropout too") {
  for (const double p : {0.0, 0.3}) {
    INFO("dropout " << p);
    graft::feed_forward<f64> layer("f", {4, 7, p, 3});
    graft_test::randomize(layer, 1);
    graft::context ctx;
    const graft::training_step training(ctx, 0);
    graft_test::check_gradients(layer, std::array{graft_test::random_matrix(5, 4, 2)}, graft_test::random_matrix(5, 4, 3), ctx);
  }
}

TEST_CASE("feed-forward agrees with PyTorch") {
  graft::feed_forward<f64> layer("f", {8, 12});
  graft_test::randomize(layer, 1);
  graft::context ctx;
  graft_test::layer_golden("feed_forward").check_part(layer, std::array<std::string, 1>{"x"}, ctx);
}

TEST_CASE("feed-forward keeps only what its trained weights read") {
  graft::feed_forward<f64> layer("f", {4, 7});
  graft_test::randomize(layer, 1, false);
  const auto x = graft_test::random_matrix(5, 4, 2);
  matrix<double> h(5, 4);
  graft::context ctx;
  const auto kept = [&] {
    graft::feed_forward<f64>::saved s;
    layer.forward(x, h, &s, ctx);
    CHECK(s.gelu_derivative.bytes() == 5 * 7 * sizeof(double));
    return std::pair{!s.intermediate.x.empty(), !s.output.x.empty()};
  };
  CHECK(kept() == std::pair{false, false});
  layer.intermediate.weight.train();
  CHECK(kept() == std::pair{true, false});
  layer.intermediate.weight.freeze();
  layer.output.weight.train();
  CHECK(kept() == std::pair{false, true});
}
