#include "graft/ops/activation.hpp"

#include "support/gradient_check.hpp"

using graft::activation;
using graft::matrix;

namespace {

void activation_forward(activation a, const matrix<double>& x, matrix<double>& y) {
  for (graft::index r = 0; r < x.rows(); ++r) graft::ops::activate_row<double>(a, x.row(r), y.row(r));
}
void activation_backward(activation a, const matrix<double>& dy, const matrix<double>& x, matrix<double>& dx) {
  for (graft::index r = 0; r < x.rows(); ++r) graft::ops::activate_row_backward<double>(a, dy.row(r), x.row(r), dx.row(r));
}

const std::vector<activation> all = [] {
  std::vector<activation> list;
  for (int i = 0; i <= static_cast<int>(activation::linear); ++i) list.push_back(static_cast<activation>(i));
  return list;
}();

}  // namespace

TEST_CASE("activations have their closed forms") {
  matrix<double> x(2, 3), y(2, 3), expected(2, 3);
  x << 0, 1, -1, 800, -800, std::log(3.0);
  activation_forward(activation::relu, x, y);
  expected << 0, 1, 0, 800, 0, std::log(3.0);
  CHECK(y == expected);
  activation_forward(activation::swish, x, y);
  expected << 0, 1 / (1 + std::exp(-1.0)), -1 / (1 + std::exp(1.0)), 800, 0, 0.75 * std::log(3.0);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-15);
  activation_forward(activation::gelu, x, y);
  expected << 0, 0.8413447460685429, -0.15865525393145707, 800, 0, std::log(3.0) * 0.8640313923585756;  // Phi(ln 3)
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
  activation_forward(activation::gelu_10, x, y);
  expected(1, 0) = 10;
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
}

TEST_CASE("activations agree with transformers' and stay finite far out") {
  // transformers' ACT2FN of -2, 0.5, 3 in double precision
  const std::vector<std::pair<activation, std::array<double, 3>>> values = {
      {activation::gelu, {-0.04550026389635842, 0.34573123063700656, 2.99595030590511}},
      {activation::relu, {0.0, 0.5, 3.0}},
      {activation::swish, {-0.2384058440442351, 0.3112296656009273, 2.8577223804672998}},
      {activation::gelu_new, {-0.04540230591222494, 0.34571400982514394, 2.996362607918227}},
      {activation::gelu_10, {-0.04550026389635842, 0.34573123063700656, 2.99595030590511}},
      {activation::quick_gelu, {-0.06434137685579186, 0.35038843660638014, 2.981928690292214}},
      {activation::tanh, {-0.9640275800758169, 0.46211715726000974, 0.9950547536867305}},
      {activation::sigmoid, {0.11920292202211755, 0.6224593312018546, 0.9525741268224334}},
      {activation::leaky_relu, {-0.02, 0.5, 3.0}},
      {activation::relu2, {0.0, 0.25, 9.0}},
      {activation::relu6, {0.0, 0.5, 3.0}},
      {activation::mish, {-0.2525014826957089, 0.3752452113048951, 2.9865350049679575}},
      {activation::laplace, {0.0, 0.23142114841057387, 0.9999999999999998}},
      {activation::linear, {-2.0, 0.5, 3.0}},
  };
  CHECK(values.size() == all.size());
  for (const auto& [a, expected] : values) {
    INFO(graft::activation_name(a));
    matrix<double> x(1, 3), y(1, 3);
    x << -2, 0.5, 3;
    activation_forward(a, x, y);
    for (int i = 0; i < 3; ++i) CHECK(std::abs(y(0, i) - expected[static_cast<std::size_t>(i)]) <= 1e-12);
    x << -1000, 1000, 40;
    activation_forward(a, x, y);
    CHECK(y.allFinite());
    const matrix<double> one = matrix<double>::Ones(1, 3);
    activation_backward(a, one, x, y);
    CHECK(y.allFinite());
  }
}

TEST_CASE("an infinite number, or none, becomes no finite one") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const auto a : all) {
    INFO(graft::activation_name(a));
    for (const double bad : {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()}) {
      matrix<double> x = matrix<double>::Constant(3, 7, bad), y(3, 7);
      activation_forward(a, x, y);
      for (graft::index i = 0; i < y.size(); ++i) CHECK_FALSE(std::isfinite(y.data()[i]));
      matrix<float> small = x.cast<float>();
      for (graft::index i = 0; i < small.rows(); ++i) graft::ops::activate_row<float>(a, small.row(i), small.row(i));
      for (graft::index i = 0; i < small.size(); ++i) CHECK_FALSE(std::isfinite(small.data()[i]));
    }
  }
}

TEST_CASE("the gradients of activations are their derivatives, in place") {
  for (const auto a : all) {
    INFO(graft::activation_name(a));
    auto x = graft_test::random_matrix(20, 3, 1);
    for (graft::index i = 0; i < x.size(); ++i) {
      if (std::abs(x.data()[i]) < 0.01) x.data()[i] = 0.5;  // away from relu's kink
    }
    const auto dy = graft_test::random_matrix(20, 3, 2);
    matrix<double> dx = dy, y(20, 3);
    activation_backward(a, dx, x, dx);
    graft_test::check_derivatives({{"x", x.data(), dx.data(), x.size()}}, [&] {
      activation_forward(a, x, y);
      return y.cwiseProduct(dy).sum();
    });
  }
}

TEST_CASE("activations are read by name") {
  for (const auto a : all) CHECK(graft::parse_activation(graft::activation_name(a)) == a);
  CHECK(graft::parse_activation("silu") == activation::swish);
  CHECK(graft::parse_activation("gelu_pytorch_tanh") == activation::gelu_new);
  CHECK_THROWS_WITH(graft::parse_activation("prelu"),
                    Catch::Contains("adapter_hidden_act is \"prelu\", one of gelu, relu, swish, gelu_new,"));
}
