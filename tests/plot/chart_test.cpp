#include "plot/chart.hpp"

#include <catch2/catch.hpp>
#include <limits>

namespace {
std::string drawn(const graft::program::series& points) {
  graft::program::svg page(100, 100, "");
  const graft::program::chart plot(0, 0, 100, 100, {0, 10}, {0, 10});
  plot.draw_line(page, points, graft::program::adapter_pen(0), "name");
  return page.finished();
}
}  // namespace

TEST_CASE("a line is moves from point to point, broken at gaps, and a lonely point is a dot") {
  const double gap = std::numeric_limits<double>::quiet_NaN();
  CHECK_THAT(drawn({{0, 5, 10}, {0, 10, 5}}), Catch::Contains("d=\"M0 100l50 -100l50 50\"><title>name</title>"));
  CHECK_THAT(drawn({{0, 1, 2, 3, 4}, {1, 1, gap, 2, 2}}), Catch::Contains("d=\"M0 90l10 0M30 80l10 0\""));
  const std::string lonely = drawn({{0, 1, 2}, {gap, 3, gap}});
  CHECK_THAT(lonely, Catch::Contains("<circle") && Catch::Contains("cx=\"10\" cy=\"70\"") && !Catch::Contains("<path"));
  CHECK_THAT(drawn({{0, 1}, {gap, gap}}), !Catch::Contains("<circle") && !Catch::Contains("<path"));
}

TEST_CASE("a chart without a drawable value says so") {
  graft::program::svg page(100, 100, "");
  graft::program::chart(0, 0, 100, 100, {1, 2}, {}).draw_scaffolding(page, "loss");
  CHECK_THAT(page.finished(), Catch::Contains("no finite values were logged"));
}
