#pragma once
// A pair of axes on the page and the lines drawn between them.

#include <cstddef>
#include <cstdint>
#include <string>

#include "plot/axis.hpp"
#include "plot/series.hpp"
#include "plot/svg.hpp"

namespace graft::program {

/// The rectangle between two axes: data to pixels, the scaffolding, and lines.
class chart {
 public:
  /// LEFT, TOP, WIDTH and HEIGHT in pixels of the area between the axes; labels take 70 more on the left and 40 below.
  chart(double left, double top, double width, double height, const extent& steps, const extent& values);

  double x(double step) const;
  double y(double value) const;

  /// Grid, axes, tick labels and the axes' names.
  void draw_scaffolding(svg& page, const std::string& value_name) const;

  /// What is drawn until `svg::end_group` is on this chart: the report's script finds its axes there.
  void begin(svg& page) const;

  /// POINTS, or MOST of them, as a line broken at gaps; a point with no neighbor is a dot. The points themselves go with it, for the
  /// report's script.
  void draw_line(svg& page, const series& points, const pen& p, const std::string& name, std::size_t most = SIZE_MAX) const;

 private:
  double left_;
  double top_;
  double width_;
  double height_;
  axis x_;
  axis y_;
  bool empty_;
};

}  // namespace graft::program
