// The two simple sites: LN(h + x), and LN(A(h) + x).

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/plain_site.hpp"
#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::f64;
using graft::matrix;

TEST_CASE("a plain site has its closed form") {
  graft::plain_site<f64> site("s", 3, 1.0 / 3);
  matrix<double> h(2, 3), x(2, 3), y(2, 3), expected(2, 3);
  h << 1, 1, 1, 2, 0, 0;
  x << 0, 1, 2, 1, 3, 3;
  expected << -1, 0, 1, 0, 0, 0;  // sums (1, 2, 3) and (3, 3, 3)
  graft::context ctx;
  site.forward(h, x, y, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-15);
}

TEST_CASE("the gradients of plain and adapter sites are their derivatives") {
  const auto h = graft_test::random_matrix(4, 5, 2);
  const auto x = graft_test::random_matrix(4, 5, 3);
  const auto dy = graft_test::random_matrix(4, 5, 4);
  graft::context ctx;
  graft::plain_site<f64> plain("s", 5, 1e-5);
  graft_test::randomize(plain, 1);
  graft_test::check_gradients(plain, std::array{h, x}, dy, ctx);
  graft::adapter_site<f64> adapted("s.adapter", "s.LayerNorm", 5, 3, 1e-5);
  graft_test::randomize(adapted, 1);
  graft_test::check_gradients(adapted, std::array{h, x}, dy, ctx);
}

TEST_CASE("an adapter site agrees with PyTorch, and with a plain one while its adapter is zero") {
  graft::context ctx;
  graft::adapter_site<f64> site("adapter", "LayerNorm", 8, 3, 1e-5);
  graft::plain_site<f64> plain("s", 8, 1e-5);
  const auto h = graft_test::random_matrix(4, 8, 2);
  const auto x = graft_test::random_matrix(4, 8, 3);
  matrix<double> y(4, 8), expected(4, 8);
  site.forward(h, x, y, nullptr, ctx);
  plain.forward(h, x, expected, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-15);

  graft_test::randomize(site, 1);
  graft_test::layer_golden("adapter_site").check_part(site, std::array<std::string, 2>{"h", "x"}, ctx);
}
