#include "graft/ops/layer_norm.hpp"

#include "support/gradient_check.hpp"

using graft::matrix;
using graft::view;

TEST_CASE("a row is normalized as by hand") {
  matrix<double> x(2, 3), g(1, 3), b(1, 3), y(2, 3), xhat_memory(2, 3), r_memory(2, 1);
  x << 1, 2, 3, 5, 5, 5;
  g << 1, 2, 3;
  b << 0, 0, 10;
  view<double> xhat(xhat_memory), r(r_memory);
  graft::context ctx;
  graft::ops::layer_norm_forward<double>(x, {nullptr, 0, 0}, g, b, 1.0 / 3, y, xhat, r, ctx);  // variance 2/3, so r = 1
  CHECK(r(0, 0) == Approx(1).epsilon(1e-15));
  CHECK(r(1, 0) == Approx(std::sqrt(3.0)).epsilon(1e-15));
  matrix<double> expected(2, 3);
  expected << -1, 0, 1, 0, 0, 0;
  CHECK(graft_test::largest_difference(xhat, expected) <= 1e-15);
  expected << -1, 0, 13, 0, 0, 10;
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);

  // r (u - mean u - xhat mean(u xhat)) with dy = (1, 1, 1): u = (1, 2, 3), mean 2, mean(u xhat) = 2/3
  matrix<double> dy = matrix<double>::Ones(2, 3), dx_memory(2, 3), dg_memory = matrix<double>::Zero(1, 3), db_memory = dg_memory;
  view<double> dx(dx_memory), dg(dg_memory), db(db_memory);
  graft::ops::layer_norm_backward<double>(dy, xhat, r, g, &dx, dg, db, ctx);
  expected << -1 + 2.0 / 3, 0, 1 - 2.0 / 3, -std::sqrt(3.0), 0, std::sqrt(3.0);
  CHECK(graft_test::largest_difference(dx, expected) <= 1e-14);
  CHECK(graft_test::largest_difference(dg, matrix<double>(matrix<double>{{-1, 0, 1}})) <= 1e-15);
  CHECK(graft_test::largest_difference(db, matrix<double>(matrix<double>{{2, 2, 2}})) <= 1e-15);
}

TEST_CASE("a variance that is too large leaves no number that looks like an answer") {
  const matrix<float> x{{1e30F, -1e30F, 0}, {1e18F, -1e18F, 0}}, none = matrix<float>::Zero(2, 3), g{{1, 1, 1}}, b{{0, 0, 10}};
  matrix<float> y(2, 3);
  graft::context ctx;
  const view<float> nothing(nullptr, 0, 0);
  for (const bool alone : {true, false}) {
    graft::ops::layer_norm_forward<float>(alone ? x : none, alone ? nothing : graft::const_view<float>(x), g, b, 1e-5F, y, nothing, nothing,
                                          ctx);
    for (graft::index i = 0; i < 3; ++i) CHECK(std::isnan(y(0, i)));
    CHECK(y.row(1).allFinite());
  }
}

TEST_CASE("normalizing in place and with any number of threads gives the same bits") {
  const graft::index rows = 150;
  const auto x = graft_test::random_matrix(rows, 7, 1);
  const auto g = graft_test::random_matrix(1, 7, 2);
  const auto b = graft_test::random_matrix(1, 7, 3);
  const auto dy = graft_test::random_matrix(rows, 7, 4);
  std::vector<matrix<double>> first;
  for (const int threads : {1, 2, 3}) {
    graft::context ctx;
    ctx.threads = threads;
    matrix<double> y = x, d = dy, xhat_memory(rows, 7), r_memory(rows, 1), dg_memory = matrix<double>::Zero(1, 7), db_memory = dg_memory;
    view<double> xhat(xhat_memory), r(r_memory), dx(d), dg(dg_memory), db(db_memory);
    graft::ops::layer_norm_forward<double>(y, {nullptr, 0, 0}, g, b, 1e-5, y, xhat, r, ctx);
    graft::ops::layer_norm_backward<double>(d, xhat, r, g, &dx, dg, db, ctx);
    matrix<double> other(rows, 7);
    graft::ops::layer_norm_forward<double>(x, {nullptr, 0, 0}, g, b, 1e-5, other, {nullptr, 0, 0}, {nullptr, 0, 0}, ctx);
    CHECK((other.array() == y.array()).all());
    const std::vector<matrix<double>> all{y, d, dg_memory, db_memory};
    if (first.empty()) first = all;
    for (std::size_t i = 0; i < all.size(); ++i) CHECK((all[i].array() == first[i].array()).all());
  }
}
