// Several sites in one batch: every sequence's rows through its own, there and back.

#include "graft/adapters/routed_site.hpp"

#include "graft/core/json.hpp"
#include "support/gradient_check.hpp"

using graft::f64;
using graft::matrix;

namespace {

/// A plain site, Houlsby's adapter, and a gated one, which reads whole sequences.
struct three_sites {
  graft::plain_site<f64> plain{"s", 4, 1e-5};
  graft::adapter_site<f64> houlsby{"a", "n", 4, 1e-5, {3}};
  graft::adapter_site<f64> gated;
  graft::routed_site<f64> routed;

  three_sites() : gated("b", "m", 4, 1e-5, gated_options()) {
    routed.choices = {&plain, &houlsby, &gated};
    graft_test::randomize(routed, 1);
  }
  static graft::adapter_options gated_options() {
    graft::adapter_options o{2, graft::activation::relu, "general"};
    o.settings = R"({"use_gating": true})";
    return o;
  }
};

const std::vector<graft::index> four_texts{0, 2, 3, 6, 7}, their_sites{2, 0, 1, 1};

}  // namespace

TEST_CASE("each sequence goes through the site that is chosen for it, as it does alone") {
  three_sites sites;
  const auto h = graft_test::random_matrix(7, 4, 2), x = graft_test::random_matrix(7, 4, 3);
  graft::context ctx;
  const auto sequences = ctx.with_sequences(four_texts);
  const auto routes = ctx.with_routes(their_sites);
  matrix<double> y(7, 4);
  sites.routed.forward(h, x, y, nullptr, ctx);
  CHECK(ctx.offsets().data() == four_texts.data());
  const auto check = [&](const auto& site, graft::index row, graft::index rows) {
    const std::vector<graft::index> own{0, rows};
    graft::context alone;
    const auto of_own = alone.with_sequences(own);
    matrix<double> expected(rows, 4);
    const matrix<double> part = h.middleRows(row, rows), residual = x.middleRows(row, rows);
    site.forward(part, residual, expected, nullptr, alone);
    CHECK(graft_test::largest_difference(matrix<double>(y.middleRows(row, rows)), expected) == 0);
  };
  check(sites.gated, 0, 2);
  check(sites.plain, 2, 1);
  check(sites.houlsby, 3, 3);
  check(sites.houlsby, 6, 1);
  CHECK(sites.routed.reads_sequences());
}

TEST_CASE("where first tokens alone come, a row is a sequence") {
  three_sites sites;
  sites.routed.choices.pop_back();
  CHECK_FALSE(sites.routed.reads_sequences());
  const std::vector<graft::index> two{1, 0, 0, 1};
  const auto h = graft_test::random_matrix(4, 4, 2), x = graft_test::random_matrix(4, 4, 3);
  graft::context ctx;
  const auto sequences = ctx.with_sequences(four_texts);
  const auto routes = ctx.with_routes(two);
  const auto rows = ctx.with_rows(graft::rows_of::sequences);
  matrix<double> y(4, 4), plain(4, 4), houlsby(4, 4);
  sites.routed.forward(h, x, y, nullptr, ctx);
  sites.plain.forward(h, x, plain, nullptr, ctx);
  sites.houlsby.forward(h, x, houlsby, nullptr, ctx);
  for (graft::index i = 0; i < 4; ++i) CHECK(y.row(i) == (two[static_cast<std::size_t>(i)] == 0 ? plain : houlsby).row(i));
}

TEST_CASE("the gradients of a routed site are its derivatives") {
  three_sites sites;
  graft::context ctx;
  const auto sequences = ctx.with_sequences(four_texts);
  const auto routes = ctx.with_routes(their_sites);
  const auto h = graft_test::random_matrix(7, 4, 2), x = graft_test::random_matrix(7, 4, 3), dy = graft_test::random_matrix(7, 4, 4);
  graft_test::check_gradients(sites.routed, std::array{h, x}, dy, ctx);
}

TEST_CASE("a route that leads nowhere is refused") {
  three_sites sites;
  matrix<double> h(7, 4), y(7, 4);
  h.setOnes();
  graft::context ctx;
  const auto sequences = ctx.with_sequences(four_texts);
  CHECK_THROWS_WITH(sites.routed.forward(h, h, y, nullptr, ctx),
                    "a routed site: 0 sequences have a route, a number for each of 4 is needed");
  const std::vector<graft::index> far{0, 1, 3, 0};
  const auto routes = ctx.with_routes(far);
  CHECK_THROWS_WITH(sites.routed.forward(h, h, y, nullptr, ctx), "a routed site: there is no site 3 among 3");
}
