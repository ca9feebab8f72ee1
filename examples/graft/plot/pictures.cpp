#include "plot/pictures.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include "plot/chart.hpp"
#include "plot/weights_picture.hpp"

namespace graft::program::detail {

/// The axes of a picture with one chart.
chart only_chart(const run_log& log, const extent& values) {
  return {chart_left, chart_top, picture_width - chart_left - 24, 264, steps_of(log), values};
}

svg chart_page(const std::string& title, const std::string& subtitle) { return titled_page(picture_width, 392, title, subtitle); }

/// Logged steps to average over: a 25th of the run, odd; 1 (no smoothing) when there are too few.
std::size_t smoothing_window(std::size_t count) { return count < 20 ? 1 : std::max<std::size_t>(5, count / 25) | 1U; }

picture loss_picture(const run_log& log) {
  const std::size_t window = smoothing_window(log.loss.size());
  const chart plot = only_chart(log, extent_of(log.loss.y));
  pen smooth = adapter_pen(0);
  pen raw = smooth;
  std::string subtitle = "every logged step, not smoothed";
  if (window > 1) {
    subtitle = "faint: every logged step; line: mean over a centered window of " + std::to_string(window) + " logged steps";
    raw.width = 1;
    raw.opacity = 0.45;
    smooth.width = 2.2;
  }
  svg page = chart_page("Training loss", subtitle);
  plot.draw_scaffolding(page, "loss");
  plot.draw_line(page, log.loss, raw, "loss at each logged step");
  if (window > 1) plot.draw_line(page, {log.loss.x, centered_mean(log.loss.y, window)}, smooth, "smoothed loss");
  return {"loss", page.finished()};
}

picture learning_rate_picture(const run_log& log) {
  extent rates = extent_of(log.learning_rate.y);
  std::string subtitle = "the schedule's rate at each logged step";
  if (rates.high > 0) {
    const auto peak = std::find(log.learning_rate.y.begin(), log.learning_rate.y.end(), rates.high) - log.learning_rate.y.begin();
    subtitle = "highest: " + scientific(rates.high) + " at step " + plain(log.learning_rate.x[static_cast<std::size_t>(peak)]);
  }
  if (!rates.empty()) rates.include(0);
  const chart plot = only_chart(log, rates);
  svg page = chart_page("Learning rate", subtitle);
  plot.draw_scaffolding(page, "learning rate");
  plot.draw_line(page, log.learning_rate, adapter_pen(0), "learning rate");
  return {"learning_rate", page.finished()};
}

picture validation_picture(const run_log& log) {
  extent scores = extent_of(log.validation.y);
  if (log.best) {
    scores.include(log.best->second);
    scores.high += 0.15 * (scores.high - scores.low);  // room for the label
  }
  const chart plot = only_chart(log, scores);
  svg page = chart_page("Validation score", "the task's major metric at each evaluation during training");
  plot.draw_scaffolding(page, "validation score");
  plot.draw_line(page, log.validation, adapter_pen(0), "validation score");
  if (log.validation.size() <= 100) {
    for (std::size_t i = 0; i < log.validation.size(); ++i) {
      const double step = log.validation.x[i];
      const double score = log.validation.y[i];
      if (drawable(score)) page.dot(plot.x(step), plot.y(score), 3, adapter_pen(0), "step " + plain(step) + ": " + plain(score));
    }
  }
  if (log.best) {
    const auto [step, score] = *log.best;
    const std::string label = "best: " + plain(score) + " at step " + plain(step);
    const double x = plot.x(step);
    const double half = text_width(label, 13) / 2;
    const std::string anchor = x - half < chart_left ? "start" : x + half > picture_width - 12 ? "end" : "middle";
    page.dot(x, plot.y(score), 6, adapter_pen(1), label);
    page.text(
        x, plot.y(score) - 13, label, anchor, false,
        std::string("font-size=\"13\" stroke=\"#FFFFFF\" stroke-width=\"4\" stroke-linejoin=\"round\" paint-order=\"stroke\" ") + bold);
  }
  return {"validation", page.finished()};
}

}  // namespace graft::program::detail

namespace graft::program {

std::vector<picture> pictures(const run_log& log) {
  std::vector<picture> out;
  if (!log.site_weights.empty()) out.push_back({"weights", detail::weights_drawing(log).draw()});
  if (!log.validation.empty()) out.push_back(detail::validation_picture(log));
  if (!log.loss.empty()) out.push_back(detail::loss_picture(log));
  if (!log.learning_rate.empty()) out.push_back(detail::learning_rate_picture(log));
  return out;
}

}  // namespace graft::program
