#include "graft/layers/rotary_positions.hpp"

#include "support/gradient_check.hpp"

using graft::matrix;

TEST_CASE("a head is turned by its place, half against half") {
  const graft::rotary_positions<graft::f64> rotary(4, 100, 8);
  const std::vector<graft::index> offsets{0, 1, 4};
  graft::context ctx;
  const auto sequences = ctx.with_sequences(offsets);
  matrix<double> m = graft_test::random_matrix(4, 8, 1);
  const matrix<double> before = m;
  rotary.rotate(m, 2, false, ctx);
  CHECK(m.row(0) == before.row(0));  // at place 0
  CHECK(m.row(1) == before.row(1));
  for (const graft::index head : {0, 1}) {
    for (const graft::index i : {0, 1}) {
      const double angle = 2 * (i == 0 ? 1.0 : static_cast<double>(1.0F / 10.0F));  // at place 2: f_1 = 100^(-1/2)
      const double a = before(3, 4 * head + i), b = before(3, 4 * head + i + 2);
      CHECK(m(3, 4 * head + i) == Approx(a * std::cos(angle) - b * std::sin(angle)).epsilon(1e-12));
      CHECK(m(3, 4 * head + i + 2) == Approx(b * std::cos(angle) + a * std::sin(angle)).epsilon(1e-12));
    }
  }
  rotary.rotate(m, 2, true, ctx);
  CHECK(graft_test::largest_difference(m, before) <= 1e-15);
}

TEST_CASE("places that are in no table are turned as those that are") {
  const graft::rotary_positions<graft::f64> few(4, 10'000, 2), many(4, 10'000, 100);
  const std::vector<graft::index> offsets{0, 9};
  for (const int threads : {1, 2}) {
    graft::context ctx;
    const auto sequences = ctx.with_sequences(offsets);
    ctx.threads = threads;
    matrix<double> a = graft_test::random_matrix(9, 4, 1), b = a;
    few.rotate(a, 1, false, ctx);
    many.rotate(b, 1, false, ctx);
    CHECK(a == b);
  }
}
