#pragma once
// Points over steps as the pictures need them: extents, smoothing, and thinning that keeps the shape.

#include <cstddef>
#include <limits>
#include <vector>

namespace graft::program {

/// Points (x[i], y[i]) in the order of x. A y that is not `drawable` is a gap in the line.
struct series {
  std::vector<double> x;
  std::vector<double> y;

  void add(double at, double value);
  bool empty() const { return x.empty(); }
  std::size_t size() const { return x.size(); }
};

/// False for NaN, infinities, and numbers so large that an axis around them would overflow.
bool drawable(double value);

/// The smallest and largest of the drawable values included so far.
struct extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value);
  void include(const std::vector<double>& values);
  bool empty() const;
};

/// out[i] = mean of the drawable values among in[i - h .. i + h], h = window / 2, cut off at the ends; a gap stays a gap.
std::vector<double> centered_mean(const std::vector<double>& values, std::size_t window);

/// At most LIMIT points (4 or more): the first, the last, and of each run of neighbors between them the smallest and the largest, so
/// that no peak is lost. A run without any drawable value becomes one gap.
series thinned(const series& points, std::size_t limit);

}  // namespace graft::program
