#pragma once
// Mixing weights over steps: a panel for each weight set, lines on the left, the final weights as bars on the right, or below where the
// picture is narrow.

#include <cstddef>
#include <string>
#include <vector>

#include "plot/run_log.hpp"
#include "plot/svg.hpp"
#include "plot/weight_sets.hpp"

namespace graft::program::detail {

class weights_drawing {
 public:
  weights_drawing(const run_log& log, double width);

  std::string draw() const;

 private:
  void measure(double width);

  void draw_swatch(svg& page, double x, double y, std::size_t adapter) const;

  void draw_panel(svg& page, const weight_set& set, double left, double top) const;

  /// Swatch, name, bar and value of every adapter: the legend of the lines too. (X, Y): the middle of the first swatch's left end.
  void draw_bars(svg& page, const weight_set& set, double x, double y) const;

  const run_log& log_;
  std::vector<weight_set> sets_;
  bool narrow_;
  std::size_t columns_;
  extent values_;  // of the lines of all panels
  extent finals_;  // of the bars, 0 included
  std::vector<pen> pens_;
  std::vector<std::size_t> long_names_;  // adapters whose names are cut beside the bars: written out above the panels
  // Pixels.
  double names_width_ = 0;
  double panel_width_ = 0;
  double panel_height_ = 0;
  double plot_height_ = 0;
  double bars_left_ = 0;  // from the left of a panel
  double bars_top_ = 0;   // from the top of its chart
  double bar_width_ = 0;  // of the longest bar
  double row_height_ = 0;
  double names_above_ = 0;
};

}  // namespace graft::program::detail
