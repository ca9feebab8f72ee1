#include "plot/pictures.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include "plot/chart_page.hpp"
#include "plot/weights_picture.hpp"

namespace graft::program::detail {

std::string loss_picture(const run_log& log, double width) {
  const std::size_t window = smoothing_window(log.loss.size());
  pen smooth = adapter_pen(0);
  pen raw = smooth;
  std::string subtitle = "every logged step, not smoothed";
  if (window > 1) {
    subtitle = "faint: every logged step; line: mean over a centered window of " + std::to_string(window) + " logged steps";
    raw.width = 1;
    raw.opacity = 0.45;
    smooth.width = 2.2;
  }
  chart_page page(width, "Training loss", subtitle, "loss", steps_of(log), extent_of(log.loss.y));
  page.plot.draw_line(page, log.loss, raw, "loss");
  if (window > 1) page.plot.draw_line(page, {log.loss.x, centered_mean(log.loss.y, window)}, smooth, "smoothed loss");
  return page.finished();
}

std::string learning_rate_picture(const run_log& log, double width) {
  extent rates = extent_of(log.learning_rate.y);
  std::string subtitle = "the schedule's rate at each logged step";
  if (rates.high > 0) {
    const auto peak = std::find(log.learning_rate.y.begin(), log.learning_rate.y.end(), rates.high) - log.learning_rate.y.begin();
    subtitle = "highest: " + scientific(rates.high) + " at step " + plain(log.learning_rate.x[static_cast<std::size_t>(peak)]);
  }
  if (!rates.empty()) rates.include(0);
  chart_page page(width, "Learning rate", subtitle, "learning rate", steps_of(log), rates);
  page.plot.draw_line(page, log.learning_rate, adapter_pen(0), "learning rate");
  return page.finished();
}

std::string validation_picture(const run_log& log, double width) {
  extent scores = extent_of(log.validation.y);
  if (log.best) {
    scores.include(log.best->second);
    scores.high += 0.15 * (scores.high - scores.low);  // room for the label
  }
  chart_page page(width, "Validation score", "the task's major metric at each evaluation during training", "validation score",
                  steps_of(log), scores);
  const chart& plot = page.plot;
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
    const std::string anchor = x - half < chart_left ? "start" : x + half > width - 12 ? "end" : "middle";
    page.dot(x, plot.y(score), 6, adapter_pen(1), label);
    page.text(
        x, plot.y(score) - 13, label, anchor, false,
        std::string("font-size=\"13\" stroke=\"#FFFFFF\" stroke-width=\"4\" stroke-linejoin=\"round\" paint-order=\"stroke\" ") + bold);
  }
  return page.finished();
}

}  // namespace graft::program::detail

namespace graft::program {

std::vector<picture> pictures(const run_log& log) {
  std::vector<picture> out;
  const auto add = [&](const char* name, const auto& draw) {
    out.push_back({name, draw(detail::picture_width), draw(detail::narrow_width)});
  };
  if (!log.site_weights.empty()) add("weights", [&](double width) { return detail::weights_drawing(log, width).draw(); });
  if (!log.validation.empty()) add("validation", [&](double width) { return detail::validation_picture(log, width); });
  if (!log.loss.empty()) add("loss", [&](double width) { return detail::loss_picture(log, width); });
  if (!log.learning_rate.empty()) add("learning_rate", [&](double width) { return detail::learning_rate_picture(log, width); });
  return out;
}

}  // namespace graft::program
