#pragma once
// Reads back what a run logged: `RUN/<unix seconds>/KEY.zlog`, merged over resumed parts, and the JSON files beside them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/core/utf8.hpp"
#include "plot/series.hpp"

namespace graft::program {

/// The logs of one run. What was not logged is empty; null and NaN are NaN.
struct run_log {
  std::string folder;
  series loss;                                    // loss_train: loss_val by global_step
  series learning_rate;                           // loss_train: learning_rate by global_step
  series validation;                              // train_val: score by global_step
  std::optional<std::pair<double, double>> best;  // step and score: train_val_best

  std::vector<std::string> adapters;  // in the order of the mix, `base` where the run has it
  std::vector<double> weight_steps;   // global_step of every row of `weights`
  std::map<int, std::vector<series>>
      site_weights;  // by site (2 x layer, + 1 after feed-forward): a series an adapter, with a gap where rows do not name it

  ordered_json args;                  // args.json, null when absent
  ordered_json metrics;               // val_metrics.json, null when absent
  ordered_json report;                // val_report.json, null when absent
  std::vector<std::string> warnings;  // lines that were skipped
};

namespace detail {

// No line of a log, and no file beside it, that graft or nlprunners writes comes near these sizes; what is drawn of a mix is as much as
// a page can show.
inline constexpr std::size_t longest_line = std::size_t{4} << 20;
inline constexpr std::size_t most_members = 1000;
inline constexpr std::size_t most_adapters = 128;
inline constexpr std::size_t most_sites = 128;

/// Python's json module writes NaN and Infinity as bare words, which JSON does not have: outside of strings they become null.
std::string without_bare_nan(std::string_view line);

/// The row that LINE holds, discarded when it is no JSON. An object is searched from its start for each of its names: it may not have many.
/// @throws format_error  LINE holds more than a row of a log can
ordered_json parse_row(std::string_view line, const std::string& where);

/// Calls USE(row, "PATH:LINE") for every row of the file PATH. A last line that a killed run left half-written is skipped with a warning.
template <class Use>
void read_rows(const std::string& path, std::vector<std::string>& warnings, Use use) {
  const mapped_file file(path);
  const std::string_view text = file.text();
  graft::detail::for_each_line(text, [&](std::uint64_t number, std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    const std::string where = path + ":" + std::to_string(number);
    const bool is_cut = !text.ends_with('\n') && line.end() + 1 >= text.end();
    if (line.size() > longest_line) {
      throw format_error(where, "is a line of " + std::to_string(line.size()) + " bytes; no log has lines of more than " +
                                    std::to_string(longest_line) + ": is it a log?");
    }
    auto row = parse_row(line, where);
    if (row.is_discarded()) row = parse_row(without_bare_nan(line), where);
    if (row.is_discarded() && is_cut) {
      warnings.push_back(where + ": the last line is half-written (was the run killed?) and was skipped");
    } else if (row.is_discarded()) {
      throw format_error(where, "is not valid JSON; every line of a log is one JSON object: remove or mend this line");
    } else {
      use(row, where);
    }
  });
}

/// The member FIELD of ROW, an object or a value to look into.
const ordered_json& member(const ordered_json& row, const std::string& field, const std::string& where);

std::int64_t global_step(const ordered_json& row, const std::string& field, const std::string& where);

using step_value = std::pair<std::int64_t, double>;
using step_values = std::vector<step_value>;

/// ROWS by step, of several for one step the last.
template <class Row>
void merge_steps(std::vector<Row>& rows) {
  const auto by_step = [](const Row& a, const Row& b) { return a.first < b.first; };
  if (!std::is_sorted(rows.begin(), rows.end(), by_step)) std::stable_sort(rows.begin(), rows.end(), by_step);
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + 1 < rows.size() && rows[i + 1].first == rows[i].first) continue;
    if (count != i) rows[count] = std::move(rows[i]);
    ++count;
  }
  rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(count), rows.end());
}

class run_log_reader {
 public:
  explicit run_log_reader(const std::string& folder);

  run_log log() &&;

 private:
  void find_parts();

  /// Rows of KEY in time order, so that a later row for the same step can replace an earlier one.
  template <class Use>
  void for_each_row(const std::string& key, Use use) {
    for (const auto& part : parts_) {
      const std::string path = part.second + "/" + key + ".zlog";
      if (is_there(path)) read_rows(path, log_.warnings, use);
    }
  }

  step_values read_score_log(const std::string& key);

  void read_scores();

  /// The place of NAME in the mix; nothing when there are too many.
  std::optional<std::size_t> adapter_number(const std::string& name);

  bool takes_site(int site);

  void read_weights();

  /// The file NAME beside the logs, which are drawn without it where it cannot be read.
  ordered_json json_in_folder(const std::string& name);

  run_log log_;
  std::vector<std::pair<std::int64_t, std::string>> parts_;
  std::map<std::string, std::size_t> adapter_numbers_;
  bool left_out_ = false;  // sites or adapters
};

}  // namespace detail

/// Reads the logs of the run in FOLDER. The parts of a resumed run (time folders, or rows appended to one file) are merged by
/// `global_step`, the later row winning.
/// @throws format_error  no such folder; no logs in it; a line that is no JSON object or lacks its step (named by file and line)
run_log read_run_log(const std::string& folder);

}  // namespace graft::program
