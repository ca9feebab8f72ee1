#include "graft/ops/softmax.hpp"

#include "support/gradient_check.hpp"

using graft::matrix;

TEST_CASE("softmax has its closed form, and large scores do not overflow") {
  matrix<double> s(2, 3);
  s << 0, std::log(2.0), std::log(3.0), 1000, 1000, -1000;
  graft::ops::softmax_row(s.row(0));
  graft::ops::softmax_row(s.row(1));
  CHECK(s(0, 0) == Approx(1.0 / 6).epsilon(1e-14));
  CHECK(s(0, 1) == Approx(2.0 / 6).epsilon(1e-14));
  CHECK(s(0, 2) == Approx(3.0 / 6).epsilon(1e-14));
  CHECK(s(1, 0) == 0.5);
  CHECK(s(1, 2) <= 1e-300);
  matrix<float> one(1, 1);
  one << -3e38F;
  graft::ops::softmax_row(one.row(0));
  CHECK(one(0, 0) == 1);
}

TEST_CASE("softmax's gradient is its derivative, in place") {
  auto s = graft_test::random_matrix(1, 6, 1);
  const auto dp = graft_test::random_matrix(1, 6, 2);
  matrix<double> p = s;
  graft::ops::softmax_row(p.row(0));
  matrix<double> ds = dp;
  graft::ops::softmax_row_backward(p.row(0), ds.row(0), 1.0, ds.row(0));
  CHECK(std::abs(ds.sum()) <= 1e-15);
  graft_test::check_derivatives({{"s", s.data(), ds.data(), s.size()}}, [&] {
    p = s;
    graft::ops::softmax_row(p.row(0));
    return p.cwiseProduct(dp).sum();
  });
}
