#include "graft/ops/column_sum.hpp"

#include <catch2/catch.hpp>

#include "support/random_values.hpp"

using graft::matrix;
using graft::view;

TEST_CASE("columns are summed onto what was there") {
  matrix<double> x(2, 3), out(1, 3);
  x << 1, 2, 3, 10, 20, 30;
  out << 100, 0, -33;
  graft::context ctx;
  graft::ops::add_column_sum<double>(x, view<double>(out), ctx);
  CHECK(out(0, 0) == 111);
  CHECK(out(0, 1) == 22);
  CHECK(out(0, 2) == 0);
}

TEST_CASE("sums of any length agree with a loop and do not depend on the threads") {
  for (const graft::index rows : {0, 1, 63, 64, 65, 300}) {
    const auto x = graft_test::random_matrix(rows, 5, 3);
    matrix<double> plain = matrix<double>::Zero(1, 5), first;
    for (graft::index r = 0; r < rows; ++r) plain += x.row(r);
    for (const int threads : {1, 2, 4}) {
      graft::context ctx;
      ctx.threads = threads;
      matrix<double> out = matrix<double>::Zero(1, 5);
      graft::ops::add_column_sum<double>(x, view<double>(out), ctx);
      CHECK(graft_test::largest_difference(out, plain) <= 1e-12);
      if (threads == 1) first = out;
      CHECK((out.array() == first.array()).all());
    }
  }
}
