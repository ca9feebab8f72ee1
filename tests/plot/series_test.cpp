#include "plot/series.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

namespace {
const double nan_value = std::numeric_limits<double>::quiet_NaN();
}

TEST_CASE("an extent leaves out what cannot be drawn") {
  graft::program::extent e;
  CHECK(e.empty());
  e.include({nan_value, std::numeric_limits<double>::infinity(), -1e305});
  CHECK(e.empty());
  e.include({3, -2, nan_value, 1});
  CHECK(e.low == -2);
  CHECK(e.high == 3);
}

TEST_CASE("the centered mean is cut off at the ends and keeps gaps") {
  const auto mean = graft::program::centered_mean({1, 2, 6, 4, 5}, 3);
  CHECK(mean == std::vector<double>{1.5, 3, 4, 5, 4.5});
  CHECK(graft::program::centered_mean({1, 2, 6}, 1) == std::vector<double>{1, 2, 6});
  const auto gap = graft::program::centered_mean({1, nan_value, 3, nan_value, nan_value, nan_value, 7}, 3);
  CHECK(gap[0] == 1);
  CHECK(std::isnan(gap[1]));
  CHECK(gap[2] == 3);
  CHECK(std::isnan(gap[4]));
  CHECK(gap[6] == 7);
}

TEST_CASE("thinning keeps ends, order, peaks and gaps") {
  graft::program::series points;
  for (int i = 0; i < 100000; ++i) points.add(i, std::sin(i / 5000.0));
  points.y[43210] = 25;
  points.y[77777] = -31;
  for (int i = 50000; i < 60000; ++i) points.y[static_cast<std::size_t>(i)] = nan_value;
  const auto thin = graft::program::thinned(points, 1000);
  CHECK(thin.size() <= 1000);
  CHECK(thin.size() > 800);
  CHECK(thin.x.front() == 0);
  CHECK(thin.x.back() == 99999);
  CHECK(std::is_sorted(thin.x.begin(), thin.x.end()));
  CHECK(std::find(thin.y.begin(), thin.y.end(), 25) - thin.y.begin() == std::find(thin.x.begin(), thin.x.end(), 43210) - thin.x.begin());
  CHECK(std::find(thin.y.begin(), thin.y.end(), -31) - thin.y.begin() == std::find(thin.x.begin(), thin.x.end(), 77777) - thin.x.begin());
  for (std::size_t i = 0; i < thin.size(); ++i) CHECK((thin.x[i] < 50000 || thin.x[i] >= 60000 || std::isnan(thin.y[i])));
  CHECK(std::any_of(thin.y.begin(), thin.y.end(), [](double y) { return std::isnan(y); }));
  CHECK(graft::program::thinned(thin, 1000).size() == thin.size());
}
