// The simple sites: LN(h + x), LN(A(h) + x), and the adapter behind the LayerNorm.

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/kind_names.hpp"
#include "graft/adapters/plain_site.hpp"
#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::f64;
using graft::matrix;

namespace {
constexpr graft::site_location behind_feed_forward{graft::sub_layer::feed_forward};
}  // namespace

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
  for (const std::string& kind : graft::adapter_kind_names()) {
    for (const auto part : {graft::sub_layer::attention, graft::sub_layer::feed_forward}) {
      for (const bool norm_trained : {true, false}) {
        for (const double scaling : {1.0, -0.5}) {
          INFO(kind << " " << norm_trained << " " << scaling);
          graft::adapter_site<f64> site("s.adapter", "s.LayerNorm", 5, 1e-5, {3, graft::activation::gelu, kind, scaling}, {part});
          graft_test::randomize(site, 1);
          for (auto* p : {&site.norm.weight, &site.norm.bias}) norm_trained ? p->train() : p->freeze();
          graft_test::check_gradients(site, std::array{h, x}, dy, ctx);
        }
      }
    }
  }
}

TEST_CASE("an adapter behind the LayerNorm has its closed form") {
  graft::adapter_site<f64> site("s.adapter", "s.LayerNorm", 3, 1.0 / 3, {1, graft::activation::relu, "pfeiffer"}, behind_feed_forward);
  site.module()->down_project.weight.edit() << 0, 0, 2;  // reads the third number
  site.module()->up_project.weight.edit() << 1, 0, 0;    // writes the first
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

TEST_CASE("a parallel adapter has its closed form: it reads x, is scaled and added to h") {
  graft::adapter_site<f64> site("s.adapter", "s.LayerNorm", 3, 1.0 / 3, {1, graft::activation::relu, "parallel", 4}, behind_feed_forward);
  site.module()->down_project.weight.edit() << 0, 0, 1;  // reads the third number
  site.module()->up_project.weight.edit() << 0.5, 0, 0;  // writes the first
  site.module()->up_project.bias.edit() << 0, 0.25, 0;
  matrix<double> h(2, 3), x(2, 3), y(2, 3), expected(2, 3);
  h << -3, 0, -1, 1, 1, 1;
  x << 0, 2, 2, 0, 1, -7;
  // U(x) = 4 (0.5 2, 0.25, 0) = (4, 1, 0): h + x + U = (1, 3, 1), mean 5/3, variance 8/9.   relu(-7) = 0: (1, 3, -6), -2/3, 134/9.
  const double r = 1 / std::sqrt(8.0 / 9 + 1.0 / 3), q = 1 / std::sqrt(134.0 / 9 + 1.0 / 3);
  expected << -2 * r / 3, 4 * r / 3, -2 * r / 3, 5 * q / 3, 11 * q / 3, -16 * q / 3;
  graft::context ctx;
  site.forward(h, x, y, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
}

TEST_CASE("Houlsby's adapters stand at both sites, Pfeiffer's and parallel ones at one") {
  const auto stands = [](const std::string& kind, graft::sub_layer part) {
    return graft::adapter_site<f64>("a", "n", 4, 1e-5, {2, graft::activation::gelu, kind}, {part}).has_adapter();
  };
  for (const std::string kind : {"houlsby", "pfeiffer", "parallel", "general"}) {
    CHECK(stands(kind, graft::sub_layer::attention) == (kind == "houlsby" || kind == "general"));
    CHECK(stands(kind, graft::sub_layer::feed_forward));
  }
  CHECK_THROWS_WITH(graft::parse_adapter_kind("both"),
                    Catch::StartsWith("adapter_placement is \"both\", one of houlsby, pfeiffer, parallel, general"));
  CHECK_THROWS_WITH(stands("none", graft::sub_layer::attention), Catch::Contains("\"none\""));  // options never ask for no adapter
}

TEST_CASE("an adapter site agrees with PyTorch, and with a plain one while its adapter is zero") {
  graft::context ctx;
  graft::adapter_site<f64> site("adapter", "LayerNorm", 8, 1e-5, {3});
  graft::plain_site<f64> plain("s", 8, 1e-5);
  const auto h = graft_test::random_matrix(4, 8, 2);
  const auto x = graft_test::random_matrix(4, 8, 3);
  matrix<double> y(4, 8), expected(4, 8);
  site.forward(h, x, y, nullptr, ctx);
  plain.forward(h, x, expected, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-15);

  graft_test::randomize(site, 1);
  graft_test::layer_golden("adapter_site").check_part(site, std::array<std::string, 2>{"h", "x"}, ctx);

  graft::adapter_site<f64> behind("adapter", "LayerNorm", 8, 1e-5, {3, graft::activation::relu, "pfeiffer"}, behind_feed_forward);
  graft_test::randomize(behind, 1);
  graft_test::layer_golden("pfeiffer_site").check_part(behind, std::array<std::string, 2>{"h", "x"}, ctx);
}
