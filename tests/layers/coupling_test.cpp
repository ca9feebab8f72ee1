// The coupling of two halves: by hand, its derivatives, what is done for frozen parts.

#include "graft/layers/coupling.hpp"

#include <catch2/catch.hpp>

#include "support/gradient_check.hpp"

using graft::f64;
using graft::matrix;

TEST_CASE("each half is told of the other, the second of what the first has become, memory may be the same") {
  graft::coupling<f64> layer("c", 3, 1, graft::activation::relu);  // halves of 1 and 2 columns, networks as wide as what they read
  layer.f.down_project.weight.edit() << 1, 0, 0, 1;
  layer.f.up_project.weight.edit() << 10, 100;
  layer.f.up_project.bias.edit() << 1;
  layer.g.down_project.weight.edit() << 1;
  layer.g.up_project.weight.edit() << 2, -1;
  matrix<double> x(2, 3), y(2, 3), expected(2, 3);
  x << 5, 1, 2, 5, -1, 2;
  expected << 216, 433, -214, 206, 411, -204;  // 5 + 10 + 200 + 1, ...
  graft::context ctx;
  layer.forward(x, y, nullptr, ctx);
  CHECK(y == expected);
  layer.forward(x, x, nullptr, ctx);
  CHECK(x == expected);
}

TEST_CASE("the gradients of a coupling are its derivatives, for even and odd widths") {
  for (const graft::index width : {6, 5}) {
    graft::coupling<f64> layer("c", width, 2, graft::activation::gelu_new);
    graft_test::randomize(layer, 1);
    graft::context ctx;
    ctx.threads = 1;
    graft_test::check_gradients(layer, std::array{graft_test::random_matrix(7, width, 2)}, graft_test::random_matrix(7, width, 3), ctx);
  }
}

TEST_CASE("a reduction factor that leaves no width is refused") {
  CHECK_THROWS_WITH((graft::coupling<f64>("c", 6, 4, graft::activation::relu)),
                    Catch::Contains("inv_adapter_reduction_factor is 4: 3 / inv_adapter_reduction_factor"));
}
