#pragma once
// What the pictures of a run have in common: their frame, their steps, and how numbers read in them.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "graft/core/number_text.hpp"
#include "graft/plot/axis.hpp"
#include "graft/plot/chart.hpp"
#include "graft/plot/run_log.hpp"
#include "graft/plot/series.hpp"
#include "graft/plot/svg.hpp"

namespace graft {

/// One SVG picture: `name` is its file name without ".svg".
struct picture {
  std::string name;
  std::string svg_text;
};

namespace detail {

// Pixels.
inline constexpr double picture_width = 900;
inline constexpr double margin = 16;
inline constexpr double chart_left = 76;
inline constexpr double chart_top = 78;

inline constexpr const char* bold = "font-weight=\"bold\"";

inline svg titled_page(double width, double height, const std::string& title, const std::string& subtitle) {
  svg page(width, height, title);
  page.text(margin, 28, title, "start", false, std::string("font-size=\"16\" ") + bold);
  page.text(margin, 48, subtitle, "start", true);
  return page;
}

/// A step as a whole number, a score or weight with four significant digits or more.
inline std::string plain(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fixed_text(value, 0);
  const int decimals = 3 - static_cast<int>(std::floor(std::log10(std::abs(value))));
  return fixed_text(value, std::clamp(decimals, 2, 9));
}

/// 0.0000104 -> "1.04×10⁻⁵"
inline std::string scientific(double value) {
  const std::string text = scientific_text(value, 2);  // "1.04e-05"
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text;
  std::string mantissa = text.substr(0, text.find_last_not_of("0.", e - 1) + 1);
  if (mantissa.empty()) mantissa = "0";
  const bool negative = text[e + 1] == '-';
  int exponent = 0;
  std::from_chars(text.data() + e + 2, text.data() + text.size(), exponent);
  return mantissa + "×10" + superscript(negative ? -exponent : exponent);
}

inline extent extent_of(const std::vector<double>& values) {
  extent out;
  out.include(values);
  return out;
}

/// All steps of the run: the pictures share them, so that they can be compared one below the other.
inline extent steps_of(const run_log& log) {
  extent steps;
  for (const auto* x : {&log.loss.x, &log.validation.x, &log.weight_steps}) steps.include(*x);
  return steps;
}

}  // namespace detail

}  // namespace graft
