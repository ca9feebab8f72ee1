#include "plot/weights_picture.hpp"

#include <algorithm>
#include <cmath>

#include "graft/core/number_text.hpp"
#include "plot/chart.hpp"
#include "plot/page.hpp"

namespace graft::program::detail {

weights_drawing::weights_drawing(const run_log& log, double width)
    : log_(log), sets_(weight_sets(log)), narrow_(width < picture_width), columns_(sets_.size() > 1 && !narrow_ ? 2 : 1) {
  for (const weight_set& set : sets_) {
    for (const series& line : set.lines) {
      values_.include(line.y);
      finals_.include(line.y.back());
    }
  }
  finals_.include(0);
  // From zero, as shares should be, unless that would press the lines into a thin band.
  if (values_.low > 0 && values_.high - values_.low > 0.25 * values_.high) values_.low = 0;
  measure(width);
}

std::string weights_drawing::draw() const {
  const std::size_t rows = (sets_.size() + columns_ - 1) / columns_;
  const std::string count = sets_.size() == 1 ? "one weight set" : std::to_string(sets_.size()) + " weight sets";
  const double width = panel_width_ * static_cast<double>(columns_);
  titled_page page(width, names_above_ + panel_height_ * static_cast<double>(rows), "Mixing weights",
                   count + "; the bars are the weights at step " + plain(log_.weight_steps.back()));
  for (std::size_t k = 0; k < long_names_.size(); ++k) {
    const double y = page.top + 4 + 18 * static_cast<double>(k);
    draw_swatch(page, margin, y, long_names_[k]);
    page.text(margin + 26, y + 4, shortened(log_.adapters[long_names_[k]], 12, width - 2 * margin - 26));
  }
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const std::size_t column = i % columns_, row = i / columns_;
    draw_panel(page, sets_[i], panel_width_ * static_cast<double>(column),
               page.top + names_above_ + panel_height_ * static_cast<double>(row));
  }
  return page.finished();
}

void weights_drawing::measure(double width) {
  const double names_limit = narrow_ || columns_ > 1 ? 110 : 200;
  for (std::size_t k = 0; k < log_.adapters.size(); ++k) {
    const std::string& name = log_.adapters[k];
    pens_.push_back(name == "base" ? base_pen() : adapter_pen(k));
    const double name_width = text_width(name, 12);
    names_width_ = std::max(names_width_, std::min(name_width, names_limit));
    if (name_width > names_limit) long_names_.push_back(k);
  }
  const double lines = static_cast<double>(log_.adapters.size());
  panel_width_ = columns_ == 1 ? width : 520;
  const double around_bars = margin + 46 + 8 + names_width_ + 26;
  bar_width_ = narrow_ ? panel_width_ - margin - around_bars : columns_ == 1 ? 130 : 56;
  bars_left_ = panel_width_ - around_bars - bar_width_;
  plot_height_ = narrow_ ? 190 : std::max(columns_ == 1 ? 264.0 : 150.0, 18 * lines);
  row_height_ = narrow_ ? 22 : std::min(24.0, plot_height_ / lines);
  bars_top_ = narrow_ ? plot_height_ + 54 : (plot_height_ - row_height_ * lines) / 2;
  panel_height_ = plot_height_ + 84 + (narrow_ ? row_height_ * lines + 20 : 0);
  names_above_ = long_names_.empty() ? 0 : 8 + 18 * static_cast<double>(long_names_.size());
}

void weights_drawing::draw_swatch(svg& page, double x, double y, std::size_t adapter) const {
  page.stroke("M" + svg::number(x) + " " + svg::number(y) + "h20", pens_[adapter], log_.adapters[adapter]);
}

void weights_drawing::draw_panel(svg& page, const weight_set& set, double left, double top) const {
  const double right = narrow_ ? panel_width_ : bars_left_;
  const chart plot(left + chart_left, top + 26, right - 24 - chart_left, plot_height_, steps_of(log_), values_);
  page.text(left + margin, top + 12, shortened(set.name, 13, panel_width_ - 2 * margin), "start", false,
            std::string("font-size=\"13\" ") + bold);
  plot.begin(page);
  plot.draw_scaffolding(page, "mixing weight");
  const std::size_t most = std::max<std::size_t>(16, 1'000'000 / (sets_.size() * log_.adapters.size()));  // what a browser can show
  for (std::size_t k = 0; k < log_.adapters.size(); ++k) plot.draw_line(page, set.lines[k], pens_[k], log_.adapters[k], most);
  page.end_group();
  draw_bars(page, set, left + bars_left_, top + 26 + bars_top_);
}

void weights_drawing::draw_bars(svg& page, const weight_set& set, double x, double y) const {
  extent winner;
  for (const series& line : set.lines) winner.include(line.y.back());
  const double scale = finals_.high - finals_.low > 1e-290 ? bar_width_ / (finals_.high - finals_.low) : 0;
  const double zero = x + 26 + names_width_ + 8 - finals_.low * scale;
  for (std::size_t k = 0; k < set.lines.size(); ++k) {
    const double middle = y + row_height_ * (static_cast<double>(k) + 0.5);
    const double weight = set.lines[k].y.back();
    const bool known = drawable(weight);
    const double length = known ? weight * scale : 0;
    const std::string value = known ? fixed_text(weight, 3) : "n/a";
    const std::string weight_of_font = weight == winner.high ? bold : "";
    draw_swatch(page, x, middle, k);
    page.text(x + 26, middle + 4, shortened(log_.adapters[k], 12, names_width_), "start", false, weight_of_font);
    page.bar(zero + std::min(0.0, length), middle - 5, std::abs(length), 10, pens_[k], log_.adapters[k] + ": " + value);
    page.text(zero + std::max(0.0, length) + 5, middle + 4, value, "start", false, weight_of_font);
  }
  page.rule("axis", zero, y, zero, y + row_height_ * static_cast<double>(set.lines.size()));
}

}  // namespace graft::program::detail
