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

TEST_CASE("class weights and label smoothing have PyTorch's numbers, and gradients that are derivatives") {
  matrix<double> z(4, 3), d(4, 3);
  z << 0.3, -1.2, 2.0, 1.5, 0.1, -0.4, -0.7, 0.9, 0.2, 0.0, 0.0, 4.0;
  view<double> dz(d);
  const std::vector<std::int32_t> labels{2, 0, 1, 1};
  const std::vector<double> weights{0.5, 2, 1.25};
  struct expected {
    graft::loss_options options;
    double loss;
    std::vector<double> gradient;  // tests/peers/training_options.py prints these
  };
  const expected all[] = {
      {{weights, 0},
       1.6609349691709667,
       {0.03246062221378069, 0.0072429438330785635, -0.039703566046859255, -0.024674137194129746, 0.015358646935840806, 0.00931549025828894,
        0.041345674074028005, -0.14303962265938858, 0.10169394858536052, 0.0061455380918428, -0.3416805488646789, 0.3355350107728361}},
      {{{}, 0.1},
       1.3294446568266418,
       {0.028996382212514465, -3.947925292985266e-06, -0.02899243428722148, -0.054271477766456355, 0.035822776607208985,
        0.01844870115924737, 0.021383869907374294, -0.08614306211976888, 0.06475919221239454, -0.003916227829821321, -0.22891622782982132,
        0.2328324556596426}},
      {{weights, 0.1},
       1.6584888337170565,
       {0.029562071489143017, -0.00435125906547216, -0.025210812423670844, -0.009534678063104284, 0.006068241077666203,
        0.003466436985438078, 0.036896660571614275, -0.12753070927342966, 0.0906340487018153, 0.0030165296887610144, -0.3187226007460216,
        0.31570607105726056}}};
  const auto close = [&](const std::vector<double>& gradient) {
    for (graft::index i = 0; i < 12; ++i) CHECK(std::abs(d.data()[i] - gradient[static_cast<std::size_t>(i)]) <= 1e-15);
  };
  for (const expected& e : all) {
    CHECK(graft::weighted_cross_entropy<double>(z, labels, e.options, &dz) == Approx(e.loss).epsilon(1e-14));
    close(e.gradient);
    graft_test::check_derivatives({{"logits", z.data(), d.data(), 12}},
                                  [&] { return graft::weighted_cross_entropy<double>(z, labels, e.options, nullptr); });
    matrix<float> z32 = z.cast<float>(), d32(4, 3);
    view<float> dz32(d32);
    CHECK(graft::weighted_cross_entropy<float>(z32, labels, e.options, &dz32, 0.5F) == Approx(e.loss).epsilon(1e-6));
    CHECK(graft_test::largest_difference(matrix<double>(d32.cast<double>()), matrix<double>(d / 2)) <= 1e-7);
  }
  const double plain = graft::cross_entropy<double>(z, labels, &dz);
  const matrix<double> plain_gradient = d;
  CHECK(graft::weighted_cross_entropy<double>(z, labels, {{1, 1, 1}, 0}, &dz) == Approx(plain).epsilon(1e-14));
  CHECK(graft_test::largest_difference(d, plain_gradient) <= 1e-15);

  const std::vector<std::int32_t> sets{0, 2, 1, 0, 1, 2};
  const std::vector<graft::index> offsets{0, 2, 2, 3, 6};
  const auto several = [&](view<double>* to) { return graft::binary_cross_entropy<double>(z, sets, offsets, to, 1.0, weights); };
  CHECK(several(&dz) == Approx(0.6080944435717197).epsilon(1e-14));
  close({-0.017731561799514208, 0.019289601375081865, -0.012416971043970585, 0.0681312063494703, 0.043748265623245, 0.033442694990629,
         0.027651018985986157, -0.04817508289583269, 0.04581949977603983, -0.020833333333333332, -0.08333333333333333,
         -0.0018735635377178743});
  graft_test::check_derivatives({{"logits", z.data(), d.data(), 12}}, [&] { return several(nullptr); });
  CHECK_THROWS_AS(graft::weighted_cross_entropy<double>(z, labels, {{1, 1}, 0}, nullptr), graft::shape_error);
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
