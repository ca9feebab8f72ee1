#pragma once
// Settings of runs beside each other: a table, and their curves above each other, on one page.

#include <string>
#include <utility>
#include <vector>

#include "plot/series.hpp"

namespace graft::program {

/// What a page says of one setting.
struct shown_setting {
  std::string name;
  std::size_t runs = 0;
  double median = 0, least = 0, most = 0;              // of the major metric
  std::vector<std::pair<std::string, double>> others;  // medians of the other metrics, and of the loss
  std::string against_best;                            // how it compares with the first
  std::vector<series> validation, loss;                // of each run
};

/// One task's settings, the best first.
struct shown_task {
  std::string name;
  std::vector<shown_setting> settings;
};

/// At every step that one of RUNS has, the median of those that have it.
series median_series(const std::vector<series>& runs);

/// One HTML page, as report_html.
std::string runs_html(const std::vector<shown_task>& tasks, const std::vector<std::string>& warnings);

}  // namespace graft::program
