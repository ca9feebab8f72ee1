#pragma once
// A picture of one chart over the steps of a run, or of several.

#include <algorithm>
#include <cstddef>
#include <string>

#include "plot/chart.hpp"
#include "plot/page.hpp"

namespace graft::program::detail {

/// A picture of one chart, VALUE_NAME over STEPS: what is drawn until `finished` is on it.
struct chart_page : titled_page {
  chart_page(double width, const std::string& title, const std::string& subtitle, const std::string& value_name, const extent& steps,
             const extent& values)
      : titled_page(width, width < picture_width ? 270 : 326, title, subtitle),
        plot(chart_left, top + 12, width - chart_left - 24, width < picture_width ? 208 : 264, steps, values) {
    plot.begin(*this);
    plot.draw_scaffolding(*this, value_name);
  }

  std::string finished() {
    end_group();
    return svg::finished();
  }

  chart plot;
};

/// Logged steps to average over: a 25th of the run, odd; 1 (no smoothing) when there are too few.
inline std::size_t smoothing_window(std::size_t count) { return count < 20 ? 1 : std::max<std::size_t>(5, count / 25) | 1U; }

}  // namespace graft::program::detail
