#pragma once
// What the pictures of a run have in common: their frame, their steps, and how numbers read in them.

#include <string>
#include <vector>

#include "plot/run_log.hpp"
#include "plot/series.hpp"
#include "plot/svg.hpp"

namespace graft::program {

/// One SVG picture: `name` is its file name without ".svg"; `narrow_text` is the same laid out for a narrow screen.
struct picture {
  std::string name;
  std::string svg_text;
  std::string narrow_text;
};

namespace detail {

// Pixels.
inline constexpr double picture_width = 900;
inline constexpr double narrow_width = 420;
inline constexpr double margin = 16;
inline constexpr double chart_left = 76;

inline constexpr const char* bold = "font-weight=\"bold\"";

/// A page WIDTH wide with its titles, and room of HEIGHT below them, which begins at `top`.
struct titled_page : svg {
  titled_page(double width, double height, const std::string& title, const std::string& subtitle);

  double top;
};

/// A step as a whole number, a score or weight with four significant digits or more.
std::string plain(double value);

/// 0.0000104 -> "1.04×10⁻⁵"
std::string scientific(double value);

extent extent_of(const std::vector<double>& values);

/// All steps of the run: the pictures share them, so that they can be compared one below the other.
extent steps_of(const run_log& log);

}  // namespace detail

}  // namespace graft::program
