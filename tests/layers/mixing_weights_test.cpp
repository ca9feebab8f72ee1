#include "graft/layers/mixing_weights.hpp"

#include "support/gradient_check.hpp"

using graft::f64;
using graft::matrix;
using graft::mixing_mode;

TEST_CASE("mixing weights start alike and have their closed forms") {
  const auto mixed = [](mixing_mode mode, double a, double b, double c) {
    graft::mixing_weights<f64> mix("m", 3, mode);
    CHECK(mix.v.name == "m.weights");
    CHECK(mix.v.role == graft::parameter_role::mixing);
    matrix<double> w(1, 3);
    mix.forward(w);
    const double start = mode == mixing_mode::softmax ? 1.0 / 3 : mode == mixing_mode::gates ? 0.5 : 1;
    CHECK((w.array() - start).abs().maxCoeff() <= 1e-15);
    CHECK(mix.v.value()(0, 1) == (mode == mixing_mode::softmax ? 1.0 / 3 : mode == mixing_mode::gates ? 0.0 : 1.0));
    mix.v.edit() << a, b, c;
    mix.forward(w);
    return w;
  };
  const double ln2 = std::log(2.0);
  const double ln3 = std::log(3.0);
  const auto near = [](const matrix<double>& w, double a, double b, double c) {
    return graft_test::largest_difference(w, (matrix<double>(1, 3) << a, b, c).finished()) <= 1e-15;
  };
  CHECK(near(mixed(mixing_mode::softmax, 0, ln2, ln3), 1.0 / 6, 2.0 / 6, 3.0 / 6));
  CHECK(near(mixed(mixing_mode::gates, 0, ln2, -ln3), 0.5, 2.0 / 3, 1.0 / 4));
  CHECK(near(mixed(mixing_mode::weights, 0, 2, -3), 0, 2, -3));
}

TEST_CASE("the gradients of mixing weights are their derivatives and add up") {
  graft::context ctx;
  for (const auto mode : {mixing_mode::softmax, mixing_mode::gates, mixing_mode::weights}) {
    graft::mixing_weights<f64> mix("m", 4, mode);
    graft_test::randomize(mix, 1);
    const auto dw = graft_test::random_matrix(1, 4, 2);
    matrix<double> w(1, 4);
    mix.forward(w);
    mix.backward(dw, w, ctx);
    const matrix<double> gradient = mix.v.gradient();
    mix.backward(dw, w, ctx);
    CHECK(graft_test::largest_difference(mix.v.gradient(), matrix<double>(2 * gradient)) <= 1e-15);
    graft_test::check_derivatives({{"v", mix.v.edit().data(), gradient.data(), 4}}, [&] {
      mix.forward(w);
      return w.cwiseProduct(dw).sum();
    });
    mix.v.freeze();
    graft_test::drop_gradient(mix.v);
    mix.backward(dw, w, ctx);
    CHECK_FALSE(mix.v.has_gradient());
  }
}

TEST_CASE("modes are read by name") {
  CHECK(graft::parse_mixing_mode("softmax") == mixing_mode::softmax);
  CHECK(graft::parse_mixing_mode("gates") == mixing_mode::gates);
  CHECK(graft::parse_mixing_mode("weights") == mixing_mode::weights);
  CHECK_THROWS_WITH(graft::parse_mixing_mode("sum"), "adapter_weight_mode is \"sum\", one of softmax, gates, weights, fusion was expected");
}
