#include "plot/chart.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "graft/core/number_text.hpp"
#include "graft/core/text_list.hpp"

namespace graft::program {

namespace {
/// As many digits as a reader wants to see, and nothing behind them.
std::string six_digits(double value) { return graft::detail::number_chars(value, std::chars_format::general, 6); }
}  // namespace

chart::chart(double left, double top, double width, double height, const extent& steps, const extent& values)
    : left_(left),
      top_(top),
      width_(width),
      height_(height),
      x_(step_axis(steps, std::max(3, static_cast<int>(width / 75)))),
      y_(value_axis(values, std::max(4, static_cast<int>(height / 44)))),
      empty_(steps.empty() || values.empty()) {}

double chart::x(double step) const { return x_.pixel(step, left_, left_ + width_); }

double chart::y(double value) const { return y_.pixel(value, top_ + height_, top_); }

void chart::draw_scaffolding(svg& page, const std::string& value_name) const {
  const double bottom = top_ + height_;
  for (std::size_t i = 0; i < y_.ticks.size(); ++i) {
    page.rule("grid", left_, y(y_.ticks[i]), left_ + width_, y(y_.ticks[i]));
    page.text(left_ - 8, y(y_.ticks[i]) + 4, y_.labels[i], "end", true);
  }
  page.rule("axis", left_, bottom, left_ + width_, bottom);
  for (std::size_t i = 0; i < x_.ticks.size(); ++i) {
    page.rule("axis", x(x_.ticks[i]), bottom, x(x_.ticks[i]), bottom + 4);
    page.text(x(x_.ticks[i]), bottom + 18, x_.labels[i], "middle", true);
  }
  page.text(left_ + width_ / 2, bottom + 36, "optimizer step", "middle");
  const std::string across = svg::number(left_ - 56), down = svg::number(top_ + height_ / 2);
  page.text(left_ - 56, top_ + height_ / 2, value_name + y_.unit, "middle", false, "transform=\"rotate(-90 " + across + " " + down + ")\"");
  if (empty_) page.text(left_ + width_ / 2, top_ + height_ / 2, "no finite values were logged", "middle", true);
}

void chart::begin(svg& page) const {
  std::string axes;
  for (const double value : {left_, top_, width_, height_}) axes += svg::number(value) + " ";
  for (const double value : {x_.low, x_.high, y_.low, y_.high}) axes += number_text(value) + " ";
  axes.pop_back();
  page.begin_group("class=\"chart\" data-axes=\"" + axes + "\"");
}

void chart::draw_line(svg& page, const series& points, const pen& p, const std::string& name, std::size_t most) const {
  const series shown = thinned(points, std::min(most, static_cast<std::size_t>(2 * width_)));
  std::string data;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (drawable(shown.y[i])) add_to_list(data, number_text(shown.x[i]) + " " + six_digits(shown.y[i]), ",");
  }
  page.begin_group("data-name=\"" + escaped(name) + "\" data-points=\"" + data + "\"");
  std::string path;
  for (std::size_t begin = 0; begin < shown.size();) {
    std::size_t end = begin;
    while (end < shown.size() && drawable(shown.y[end])) ++end;
    if (end - begin == 1) page.dot(x(shown.x[begin]), y(shown.y[begin]), p.width + 0.7, p, name);
    double from_x = 0;
    double from_y = 0;
    for (std::size_t i = begin; end - begin > 1 && i < end; ++i) {
      const double to_x = std::round(10 * x(shown.x[i]));  // whole tenths, so that relative moves do not drift
      const double to_y = std::round(10 * y(shown.y[i]));
      path += (i == begin ? "M" : "l") + svg::number((to_x - from_x) / 10) + " " + svg::number((to_y - from_y) / 10);
      from_x = to_x;
      from_y = to_y;
    }
    begin = end + 1;
  }
  if (!path.empty()) page.stroke(path, p, name);
  page.end_group();
}

}  // namespace graft::program
