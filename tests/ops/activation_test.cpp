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
}

TEST_CASE("the gradients of activations are their derivatives, in place") {
  for (const auto a : {activation::gelu, activation::relu, activation::swish}) {
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
  for (const auto a : {activation::gelu, activation::relu, activation::swish})
    CHECK(graft::parse_activation(graft::activation_name(a)) == a);
  CHECK_THROWS_WITH(graft::parse_activation("tanh"), "adapter_hidden_act is \"tanh\", one of gelu, relu, swish was expected");
}
