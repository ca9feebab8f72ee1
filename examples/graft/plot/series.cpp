#include "plot/series.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace graft::program {

void series::add(double at, double value) {
  x.push_back(at);
  y.push_back(value);
}

bool drawable(double value) { return std::abs(value) < 1e300; }

void extent::include(double value) {
  if (!drawable(value)) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

void extent::include(const std::vector<double>& values) {
  for (const double value : values) include(value);
}

bool extent::empty() const { return low > high; }

std::vector<double> centered_mean(const std::vector<double>& values, std::size_t window) {
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

series thinned(const series& points, std::size_t limit) {
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

}  // namespace graft::program
