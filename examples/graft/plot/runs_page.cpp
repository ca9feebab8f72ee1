#include "plot/runs_page.hpp"

#include <algorithm>
#include <cstddef>
#include <map>

#include "graft/core/number_text.hpp"
#include "plot/chart_page.hpp"
#include "plot/report_parts.hpp"

namespace graft::program::detail {

constexpr std::size_t most_curves = 12;  // what a reader can tell apart

constexpr const char* table_style = R"(
.runs { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--rule); font-size: 14px; margin: 0 0 16px;
  display: block; overflow-x: auto; }
.runs th, .runs td { padding: 6px 12px; text-align: right; border-bottom: 1px solid var(--rule); font-variant-numeric: tabular-nums; white-space: nowrap; }
.runs th:first-child, .runs td:first-child { text-align: left; white-space: normal; min-width: 180px; overflow-wrap: anywhere; }
.runs th { color: var(--muted); font-weight: normal; }
.runs tr.best td { font-weight: bold; }
.swatch { width: 26px; height: 10px; margin-right: 8px; }
)";

/// The curves of TASK that CURVES gives, one a setting.
template <class Curves>
std::string curves_picture(const shown_task& task, double width, const std::string& title, const std::string& value_name,
                           const std::string& about, Curves&& curves) {
  std::vector<series> lines;
  extent steps, values;
  for (const shown_setting& s : task.settings) {
    if (lines.size() == most_curves) break;
    lines.push_back(curves(s));
    steps.include(lines.back().x);
    values.include(lines.back().y);
  }
  std::string subtitle = "the median of each setting's runs" + about;
  if (task.settings.size() > most_curves) subtitle += "; the best " + std::to_string(most_curves) + " settings";
  chart_page page(width, title, subtitle, value_name, steps, values);
  for (std::size_t i = lines.size(); i-- > 0;) page.plot.draw_line(page, lines[i], adapter_pen(i), task.settings[i].name);
  return page.finished();
}

std::string swatch(std::size_t i) {
  const pen p = adapter_pen(i);
  return "<svg class=\"swatch\" viewBox=\"0 0 26 10\"><path stroke=\"" + p.color + "\" stroke-width=\"3\"" +
         (p.dash.empty() ? "" : " stroke-dasharray=\"" + p.dash + "\"") + " d=\"M0 5h26\"/></svg>";
}

std::string score_text(double value) { return drawable(value) ? fixed_text(value, 4) : "-"; }

std::string table_html(const shown_task& task) {
  std::string html = "<table class=\"runs\">\n<tr><th>setting</th><th>runs</th><th>median</th><th>least to most</th>";
  const bool compared = std::ranges::any_of(task.settings, [](const auto& s) { return !s.against_best.empty(); });
  for (const auto& [name, value] : task.settings.front().others) html += "<th>" + escaped(name) + "</th>";
  html += compared ? "<th>against the best</th></tr>\n" : "</tr>\n";
  for (std::size_t i = 0; i < task.settings.size(); ++i) {
    const shown_setting& s = task.settings[i];
    html += std::string("<tr") + (i == 0 ? " class=\"best\"" : "") + "><td>" + (i < most_curves ? swatch(i) : "") + escaped(s.name) +
            "</td><td>" + std::to_string(s.runs) + "</td><td>" + score_text(s.median) + "</td><td>" + score_text(s.least) + " to " +
            score_text(s.most) + "</td>";
    for (const auto& [name, value] : s.others) html += "<td>" + score_text(value) + "</td>";
    html += compared ? "<td>" + escaped(s.against_best) + "</td></tr>\n" : "</tr>\n";
  }
  return html + "</table>\n";
}

}  // namespace graft::program::detail

namespace graft::program {

series median_series(const std::vector<series>& runs) {
  std::map<double, std::vector<double>> all;
  for (const series& run : runs) {
    for (std::size_t i = 0; i < run.size(); ++i) {
      if (drawable(run.y[i])) all[run.x[i]].push_back(run.y[i]);
    }
  }
  series out;
  for (auto& [step, values] : all) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    out.add(step, values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2);
  }
  return out;
}

std::string runs_html(const std::vector<shown_task>& tasks, const std::vector<std::string>& warnings) {
  std::string html = detail::page_begin("Runs", detail::table_style) + "<h1>Runs</h1>\n";
  for (const std::string& warning : warnings) html += "<div class=\"warnings\">" + escaped(warning) + "</div>\n";
  for (const shown_task& task : tasks) {
    html += "<h2>" + escaped(task.name) + "</h2>\n" + detail::table_html(task) + "<div class=\"charts\">\n";
    const auto figure = [&](const auto& draw) {
      html += "<figure>\n" + draw(detail::picture_width) + draw(detail::narrow_width) + "</figure>\n";
    };
    const auto has = [&](const auto member) {
      return std::ranges::any_of(
          task.settings, [&](const auto& s) { return std::ranges::any_of(s.*member, [](const auto& one) { return !one.empty(); }); });
    };
    if (has(&shown_setting::validation)) {
      figure([&](double width) {
        return detail::curves_picture(task, width, "Validation score", "validation score", "",
                                      [](const auto& s) { return median_series(s.validation); });
      });
    }
    if (has(&shown_setting::loss)) {
      figure([&](double width) {
        return detail::curves_picture(task, width, "Training loss", "loss", ", smoothed where it is long", [](const auto& s) {
          const series line = median_series(s.loss);
          return series{line.x, centered_mean(line.y, detail::smoothing_window(line.size()))};
        });
      });
    }
    html += "</div>\n";
  }
  return html + detail::page_end();
}

}  // namespace graft::program
