// The simple sites: LN(h + x), LN(A(h) + x), and the adapter behind the LayerNorm.

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
  for (const auto place : {graft::adapter_place::none, graft::adapter_place::behind_norm}) {
    for (const bool norm_trained : {true, false}) {
      graft::adapter_site<f64> other("s.adapter", "s.LayerNorm", 5, 3, 1e-5, graft::activation::gelu, place);
      graft_test::randomize(other, 1);
      for (auto* p : {&other.norm.weight, &other.norm.bias}) norm_trained ? p->train() : p->freeze();
      graft_test::check_gradients(other, std::array{h, x}, dy, ctx);
    }
  }
}

TEST_CASE("an adapter behind the LayerNorm has its closed form") {
  graft::adapter_site<f64> site("s.adapter", "s.LayerNorm", 3, 1, 1.0 / 3, graft::activation::relu, graft::adapter_place::behind_norm);
  site.adapter->down_project.weight.edit() << 0, 0, 2;  // reads the third number
  site.adapter->up_project.weight.edit() << 1, 0, 0;    // writes the first
  matrix<double> h(2, 3), x(2, 3), y(2, 3), expected(2, 3);
  h << 1, 1, 1, 1, 1, 1;
  x << 0, 1, 2, 2, 1, 0;
  // h + x = (1, 2, 3), whose LayerNorm is (-1, 0, 1): U = (2, 0, 0), and (3, 2, 3) remains.   (3, 2, 1): relu(-2) = 0.
  const double r = 1 / std::sqrt(2.0 / 9 + 1.0 / 3);
  expected << r / 3, -2 * r / 3, r / 3, 1, 0, -1;
  graft::context ctx;
  site.forward(h, x, y, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
}

TEST_CASE("Houlsby's adapters stand at both sites, Pfeiffer's at one") {
  using graft::adapter_place;
  CHECK(graft::place_at(graft::parse_placement("houlsby"), false) == adapter_place::before_norm);
  CHECK(graft::place_at(graft::parse_placement("houlsby"), true) == adapter_place::before_norm);
  CHECK(graft::place_at(graft::parse_placement("pfeiffer"), false) == adapter_place::none);
  CHECK(graft::place_at(graft::parse_placement("pfeiffer"), true) == adapter_place::behind_norm);
  CHECK_THROWS_WITH(graft::parse_placement("both"), "adapter_placement is \"both\", houlsby or pfeiffer was expected");
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

  graft::adapter_site<f64> behind("adapter", "LayerNorm", 8, 3, 1e-5, graft::activation::relu, graft::adapter_place::behind_norm);
  graft_test::randomize(behind, 1);
  graft_test::layer_golden("pfeiffer_site").check_part(behind, std::array<std::string, 2>{"h", "x"}, ctx);
}
