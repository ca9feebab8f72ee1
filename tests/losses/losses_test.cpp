#include "graft/losses/losses.hpp"

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::matrix;
using graft::view;

TEST_CASE("cross entropy has its closed form, and large logits do not overflow") {
  matrix<double> z(2, 3), d(2, 3), expected(2, 3);
  z << 0, std::log(2.0), std::log(3.0), 1000, 1000, -1000;
  view<double> dz(d);
  const std::vector<std::int32_t> labels{2, 0};
  CHECK(graft::cross_entropy<double>(z, labels, &dz) == Approx((std::log(2.0) + std::log(2.0)) / 2).epsilon(1e-14));
  expected << 1.0 / 12, 2.0 / 12, -3.0 / 12, -0.25, 0.25, 0;
  CHECK(graft_test::largest_difference(d, expected) <= 1e-15);
  graft::cross_entropy<double>(z, labels, &dz, 0.5);
  CHECK(graft_test::largest_difference(d, matrix<double>(expected / 2)) <= 1e-15);
  CHECK(graft::prediction_entropy<double>(z) ==
        Approx((std::log(6.0) / 6 + std::log(3.0) / 3 + std::log(2.0) / 2 + std::log(2.0)) / 2).epsilon(1e-14));
}

TEST_CASE("the squared error has its closed form") {
  matrix<double> z(2, 1), d(2, 1), expected(2, 1);
  z << 1, 5;
  view<double> dz(d);
  const std::vector<double> targets{3, 4};
  CHECK(graft::mean_squared_error<double>(z, targets, &dz) == 2.5);
  expected << -2, 1;
  CHECK(d == expected);
  graft::mean_squared_error<double>(z, targets, &dz, 0.5);
  CHECK(d == expected / 2);
}

TEST_CASE("the losses' gradients are their derivatives") {
  auto z = graft_test::random_matrix(4, 3, 1);
  matrix<double> d(4, 3);
  view<double> dz(d);
  const std::vector<std::int32_t> labels{2, 0, 1, 1};
  graft::cross_entropy<double>(z, labels, &dz);
  graft_test::check_derivatives({{"logits", z.data(), d.data(), 12}}, [&] { return graft::cross_entropy<double>(z, labels, nullptr); });
  auto y = graft_test::random_matrix(4, 1, 2);
  matrix<double> e(4, 1);
  view<double> dy(e);
  const std::vector<double> targets{0.5, 1, 4, -1};
  graft::mean_squared_error<double>(y, targets, &dy);
  graft_test::check_derivatives({{"logits", y.data(), e.data(), 4}},
                                [&] { return graft::mean_squared_error<double>(y, targets, nullptr); });
}

TEST_CASE("the losses agree with PyTorch, in f32 as exactly as f32 is") {
  for (const std::string name : {"cross_entropy", "mean_squared_error"}) {
    const graft_test::layer_golden golden(name);
    const auto z = golden.matrix("x");
    const double scale = golden.matrix("dy")(0, 0);
    const matrix<float> z32 = z.cast<float>();
    matrix<double> d(z.rows(), z.cols());
    matrix<float> d32(z.rows(), z.cols());
    view<double> dz(d);
    view<float> dz32(d32);
    double loss = 0;
    double loss32 = 0;
    if (name == "cross_entropy") {
      std::vector<std::int32_t> labels;
      for (const auto label : golden.integers("labels")) labels.push_back(static_cast<std::int32_t>(label));
      loss = graft::cross_entropy<double>(z, labels, &dz, scale);
      loss32 = graft::cross_entropy<float>(z32, labels, &dz32, static_cast<float>(scale));
    } else {
      const auto row = golden.matrix("labels");
      const std::vector<double> targets(row.data(), row.data() + row.size());
      loss = graft::mean_squared_error<double>(z, targets, &dz, scale);
      loss32 = graft::mean_squared_error<float>(z32, targets, &dz32, static_cast<float>(scale));
    }
    golden.check("y", matrix<double>::Constant(1, 1, loss));
    golden.check("dx", d);
    golden.check("y", matrix<double>::Constant(1, 1, loss32), 1e-6);
    golden.check("dx", d32, 1e-6);
  }
}

TEST_CASE("labels that do not fit are refused") {
  const matrix<double> z = matrix<double>::Zero(2, 3);
  using labels = std::vector<std::int32_t>;
  CHECK_THROWS_WITH(graft::cross_entropy<double>(z, labels{0, 3}, nullptr), "cross_entropy: label 3 is outside 0 .. 2");
  CHECK_THROWS_WITH(graft::cross_entropy<double>(z, labels{-1, 0}, nullptr), "cross_entropy: label -1 is outside 0 .. 2");
  CHECK_THROWS_AS(graft::cross_entropy<double>(z, labels{0}, nullptr), graft::shape_error);
  CHECK_THROWS_AS(graft::mean_squared_error<double>(z, std::vector<double>{1, 2}, nullptr), graft::shape_error);
}

TEST_CASE("binary cross entropy is PyTorch's, however large the logits, and its gradient its derivative") {
  matrix<double> z(2, 3), d(2, 3), expected(2, 3);
  z << 0.5, -1.25, 3, -40, 60, 0;
  view<double> dz(d);
  const std::vector<std::int32_t> sets{0, 2, 2};
  const std::vector<graft::index> offsets{0, 2, 3};
  CHECK(graft::binary_cross_entropy<double>(z, sets, offsets, &dz) == Approx(10.244623432943195).epsilon(1e-15));
  expected << -0.0629234447996909, 0.03711668980421814, -0.007904312196261106, 7.080590425485981e-19, 1.0 / 6, -1.0 / 12;
  CHECK(graft_test::largest_difference(d, expected) <= 1e-16);
  CHECK(graft::label_entropy<double>(z) == Approx(0.3461939541870959).epsilon(1e-14));
  z(1, 1) = 2;
  graft::binary_cross_entropy<double>(z, sets, offsets, &dz, 1.0);
  graft_test::check_derivatives({{"logits", z.data(), d.data(), 6}},
                                [&] { return graft::binary_cross_entropy<double>(z, sets, offsets, nullptr); });
  z(0, 0) = -800;
  CHECK(graft::binary_cross_entropy<double>(z, sets, offsets, &dz, 0.5) > 130);
  CHECK(d(0, 0) == Approx(-1.0 / 12));
  CHECK_THROWS_AS(graft::binary_cross_entropy<double>(z, sets, std::vector<graft::index>{0, 1}, nullptr), graft::shape_error);
}
