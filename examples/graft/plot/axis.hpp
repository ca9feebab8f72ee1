#pragma once
// Axes: round ticks, and labels that stay short.

#include <string>
#include <vector>

#include "plot/series.hpp"

namespace graft::program {

/// One axis: the values `low`..`high`, where the ticks lie and what stands beside them. `unit` (" (×10⁻⁵)" or "") belongs to the axis'
/// name.
struct axis {
  double low = 0;
  double high = 1;
  std::vector<double> ticks;
  std::vector<std::string> labels;
  std::string unit;

  /// Where VALUE lies between the pixels FROM (at low) and TO (at high).
  double pixel(double value, double from, double to) const;
};

namespace detail {

/// Labels of ticks STEP apart, divided by SCALE: as many decimals as STEP needs, SUFFIX after every one but 0.
void set_labels(axis& a, double step, double scale, const std::string& suffix);

std::string superscript(int number);

}  // namespace detail

/// An axis of whole numbers (optimizer steps) with about COUNT ticks: it ends where the data end, and starts where they start, or at 0 when
/// that is near. From 10,000 on labels are in k or M.
axis step_axis(extent data, int count);

/// An axis of any numbers that ends at the ticks around the data, with about COUNT ticks. Very small or large numbers share a power of ten
/// in `unit`.
axis value_axis(extent data, int count);

}  // namespace graft::program
