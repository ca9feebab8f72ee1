#pragma once
// Points over steps as the pictures need them: extents, smoothing, and thinning that keeps the shape.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace graft {

/// Points (x[i], y[i]) in the order of x. A y that is not `drawable` is a gap in the line.
struct series {
  std::vector<double> x;
  std::vector<double> y;

  void add(double at, double value) {
    x.push_back(at);
    y.push_back(value);
  }
  bool empty() const { return x.empty(); }
  std::size_t size() const { return x.size(); }
};

/// False for NaN, infinities, and numbers so large that an axis around them would overflow.
inline bool drawable(double value) { return std::abs(value) < 1e300; }

/// The smallest and largest of the drawable values included so far.
struct extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    if (!drawable(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void include(const std::vector<double>& values) {
    for (const double value : values) include(value);
  }
  bool empty() const { return low > high; }
};

/// out[i] = mean of the drawable values among in[i - h .. i + h], h = window / 2, cut off at the ends; a gap stays a gap.
inline std::vector<double> centered_mean(const std::vector<double>& values, std::size_t window) {
  const std::size_t half = window / 2;
  std::vector<double> sum(values.size() + 1, 0.0);
  std::vector<std::size_t> count(values.size() + 1, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool counts = drawable(values[i]);
    sum[i + 1] = sum[i] + (counts ? values[i] : 0.0);
    count[i + 1] = count[i] + (counts ? 1 : 0);
  }
  std::vector<double> out(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!drawable(values[i])) continue;
    const std::size_t begin = i - std::min(i, half);
    const std::size_t end = std::min(values.size(), i + half + 1);
    out[i] = (sum[end] - sum[begin]) / static_cast<double>(count[end] - count[begin]);
  }
  return out;
}

/// At most LIMIT points (4 or more): the first, the last, and of each run of neighbors between them the smallest and the largest, so
/// that no peak is lost. A run without any drawable value becomes one gap.
inline series thinned(const series& points, std::size_t limit) {
  const std::size_t count = points.size();
  if (count <= limit) return points;
  const std::size_t runs = std::max<std::size_t>(1, (limit - 2) / 2);
  series out;
  out.add(points.x.front(), points.y.front());
  for (std::size_t run = 0; run < runs; ++run) {
    const std::size_t begin = 1 + run * (count - 2) / runs;
    const std::size_t end = 1 + (run + 1) * (count - 2) / runs;
    std::size_t low = begin;
    std::size_t high = begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (!drawable(points.y[i])) continue;
      if (!drawable(points.y[low]) || points.y[i] < points.y[low]) low = i;
      if (!drawable(points.y[high]) || points.y[i] > points.y[high]) high = i;
    }
    if (low > high) std::swap(low, high);
    out.add(points.x[low], points.y[low]);
    if (high != low) out.add(points.x[high], points.y[high]);
  }
  out.add(points.x.back(), points.y.back());
  return out;
}

}  // namespace graft
