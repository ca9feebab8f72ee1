#include "graft/ops/gelu.hpp"

#include <cmath>
#include <limits>

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::const_view;
using graft::matrix;
using graft::view;

namespace {

/// Row by row; y may be x, dx may be dy.
template <class T>
void gelu_forward(const matrix<T>& x, matrix<T>& y) {
  for (graft::index r = 0; r < x.rows(); ++r) graft::ops::activate_row<T>(graft::activation::gelu, x.row(r), y.row(r));
}
template <class T>
void gelu_backward(const matrix<T>& dy, const matrix<T>& x, matrix<T>& dx) {
  for (graft::index r = 0; r < x.rows(); ++r) graft::ops::activate_row_backward<T>(graft::activation::gelu, dy.row(r), x.row(r), dx.row(r));
}

}  // namespace

TEST_CASE("gelu has its closed form") {
  matrix<double> x(2, 3);
  x << 0, 1, -1, 40, -40, 2;
  matrix<double> y(2, 3), ones = matrix<double>::Ones(2, 3), dx(2, 3);
  gelu_forward<double>(x, y);
  CHECK(y(0, 0) == 0);
  CHECK(y(0, 1) == Approx(0.8413447460685429).epsilon(1e-14));  // Phi(1)
  CHECK(y(0, 2) == Approx(-0.15865525393145707).epsilon(1e-14));
  CHECK(y(1, 0) == 40);
  CHECK(y(1, 1) == 0);
  gelu_backward<double>(ones, x, dx);
  CHECK(dx(0, 0) == 0.5);
  CHECK(dx(0, 1) == Approx(0.8413447460685429 + 0.24197072451914337).epsilon(1e-14));  // Phi(1) + phi(1)
  CHECK(dx(1, 0) == 1);
  CHECK(dx(1, 1) == 0);
}

TEST_CASE("gelu's gradient is its derivative") {
  auto x = graft_test::random_matrix(3, 5, 1);
  const auto dy = graft_test::random_matrix(3, 5, 2);
  matrix<double> y(3, 5), dx(3, 5);
  gelu_backward<double>(dy, x, dx);
  graft_test::check_derivatives({{"x", x.data(), dx.data(), x.size()}}, [&] {
    gelu_forward<double>(x, y);
    return y.cwiseProduct(dy).sum();
  });
}

TEST_CASE("gelu agrees with PyTorch, in place too") {
  const graft_test::layer_golden golden("gelu");
  auto x = golden.matrix("x");
  auto d = golden.matrix("dy");
  gelu_backward<double>(d, x, d);
  golden.check("dx", d, 1e-14);
  gelu_forward<double>(x, x);
  golden.check("y", x, 1e-14);
}

TEST_CASE("gelu in f32 is as exact as f32 is") {
  const graft::index n = 4001;
  matrix<double> x(1, n);
  for (graft::index i = 0; i < n; ++i) x(0, i) = 0.005 * static_cast<double>(i - 2000);
  x.resize(n, 1);
  const matrix<float> x32 = x.cast<float>();
  matrix<double> y(n, 1), dx(n, 1);
  matrix<float> y32(n, 1), dx32(n, 1);
  gelu_forward<double>(x, y);
  gelu_backward<double>(matrix<double>::Ones(n, 1).eval(), x, dx);
  gelu_forward<float>(x32, y32);
  gelu_backward<float>(matrix<float>::Ones(n, 1).eval(), x32, dx32);
  CHECK(graft_test::largest_difference(y32, y) <= 2e-6);
  CHECK(graft_test::largest_difference(dx32, dx) <= 2e-6);
}

TEST_CASE("gelu and its gelu_derivative in one pass are the two of two passes, in 8 bits the gelu_derivative is near") {
  constexpr graft::index n = 1000;
  matrix<double> x(1, n), y(1, n), s(1, n), y_alone(1, n), s_alone(1, n);
  for (graft::index i = 0; i < n; ++i) x(0, i) = -8 + 16.0 * static_cast<double>(i) / n;
  graft::ops::gelu_with_derivative(x.data(), y.data(), s.data(), n);
  gelu_forward<double>(x, y_alone);
  gelu_backward<double>(matrix<double>::Ones(1, n).eval(), x, s_alone);
  CHECK((y - y_alone).cwiseAbs().maxCoeff() <= 1e-15);
  CHECK((s - s_alone).cwiseAbs().maxCoeff() <= 1e-15);
  matrix<float> single = s.cast<float>(), d = matrix<float>::Constant(1, n, 2);
  std::vector<std::uint8_t> kept(n);
  graft::ops::save_gelu_derivative(single.data(), kept.data(), n);
  graft::ops::scale_by_gelu_derivative(d.data(), kept.data(), n);
  CHECK((d - 2 * single).cwiseAbs().maxCoeff() <= 2 * 0.0025F);
}

TEST_CASE("gelu for 8 bits is as near as it says") {
  constexpr graft::index n = 4001;
  matrix<float> x(1, n), y(1, n);
  for (graft::index i = 0; i < n; ++i) x(0, i) = static_cast<float>(i - n / 2) * 0.01F;
  graft::ops::approximate_gelu(x.data(), y.data(), n);
  matrix<double> exact(1, n);
  graft::ops::activate_row<double>(graft::activation::gelu, x.cast<double>().eval().row(0), exact.row(0));
  CHECK((y.cast<double>() - exact).cwiseAbs().maxCoeff() <= 2e-4);
  x(0, 0) = std::numeric_limits<float>::quiet_NaN();
  graft::ops::approximate_gelu(x.data(), x.data(), 1);
  CHECK(std::isnan(x(0, 0)));
  for (const float sign : {1.0F, -1.0F}) {
    x(0, 0) = sign * std::numeric_limits<float>::infinity();
    graft::ops::approximate_gelu(x.data(), x.data(), 1);
    CHECK_FALSE(std::isfinite(x(0, 0)));
  }
}
