#pragma once
// Reads back what a run logged: `RUN/<unix seconds>/KEY.zlog`, merged over resumed parts, and the JSON files beside them.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/plot/series.hpp"

namespace graft {

/// The logs of one run. What was not logged is empty; null and NaN are NaN.
struct run_log {
  std::string folder;
  series loss;                                    // loss_train: loss_val by global_step
  series learning_rate;                           // loss_train: learning_rate by global_step
  series validation;                              // train_val: score by global_step
  std::optional<std::pair<double, double>> best;  // step and score: train_val_best

  std::vector<std::string> adapters;                // in the order of the mix, `base` where the run has it
  std::vector<double> weight_steps;                 // global_step of every row of `weights`
  std::map<int, std::vector<series>> site_weights;  // by site (2 x layer, + 1 after feed-forward): a series an adapter over weight_steps

  ordered_json args;                  // args.json, null when absent
  ordered_json metrics;               // val_metrics.json, null when absent
  std::vector<std::string> warnings;  // lines that were skipped
};

namespace detail {

/// Python's json module writes NaN and Infinity as bare words, which JSON does not have: they become null.
inline std::string without_bare_nan(std::string_view line) {
  std::string text(line);
  for (const std::string word : {"NaN", "-Infinity", "Infinity"}) {
    for (const std::string before : {":", ": "}) {
      const std::string found = before + word;
      for (std::size_t at = text.find(found); at != std::string::npos; at = text.find(found, at)) text.replace(at, found.size(), ":null");
    }
  }
  return text;
}

/// Calls USE(row, "PATH:LINE") for every row of the file PATH. A last line that a killed run left half-written is skipped with a warning.
template <class Use>
void read_rows(const std::string& path, std::vector<std::string>& warnings, Use use) {
  const mapped_file file(path);
  std::string_view rest = file.text();
  for (std::size_t line_number = 1; !rest.empty(); ++line_number) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto row = ordered_json::parse(line, nullptr, false);
    if (row.is_discarded()) row = ordered_json::parse(without_bare_nan(line), nullptr, false);
    const std::string where = path + ":" + std::to_string(line_number);
    if (row.is_discarded() && end == std::string_view::npos) {
      warnings.push_back(where + ": the last line is half-written (was the run killed?) and was skipped");
    } else if (row.is_discarded()) {
      throw format_error(where, "is not valid JSON; every line of a log is one JSON object: remove or mend this line");
    } else {
      use(row, where);
    }
  }
}

inline std::int64_t global_step(const ordered_json& row, const std::string& member, const std::string& where) {
  return required<std::int64_t>(required<ordered_json>(row, member, where), "global_step", where);
}

inline double number_or_nan(const ordered_json& object, const std::string& field, const std::string& where) {
  return optional<double>(object, field, where, std::numeric_limits<double>::quiet_NaN());
}

/// "layer_07" -> 7
inline int site_of(const std::string& key, const std::string& where) {
  const std::string prefix = "layer_";
  const std::string digits = key.starts_with(prefix) ? key.substr(prefix.size()) : "";
  if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != std::string::npos) {
    throw format_error(where, "\"weights\" has a member \"" + key + "\", layer_00, layer_01, ... were expected");
  }
  int site = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), site);
  return site;
}

using step_values = std::map<std::int64_t, double>;

inline series as_series(const step_values& values) {
  series out;
  for (const auto& [step, value] : values) out.add(static_cast<double>(step), value);
  return out;
}

/// The highest score that `train_val_best` names, the earlier of equals; scores that a resumed run has since replaced do not count.
/// Without such rows (the log is missing), the highest score of `train_val`.
inline std::optional<std::pair<double, double>> best_of(const step_values& logged_best, const step_values& validation) {
  std::optional<std::pair<double, double>> best;
  const auto take = [&best](std::int64_t step, double score) {
    if (drawable(score) && (!best || score > best->second)) best = {static_cast<double>(step), score};
  };
  for (const auto& [step, score] : logged_best) {
    const auto now = validation.find(step);
    if (now == validation.end() || now->second == score) take(step, score);
  }
  if (!best) {
    for (const auto& [step, score] : validation) take(step, score);
  }
  return best;
}

class run_log_reader {
 public:
  explicit run_log_reader(const std::string& folder) {
    log_.folder = folder;
    const std::string looked_for = "the output folder of a run, with " + folder + "/<unix seconds>/loss_train.zlog, was expected";
    std::error_code code;
    if (!std::filesystem::exists(folder, code)) throw format_error(folder, "does not exist; " + looked_for);
    if (!std::filesystem::is_directory(folder, code)) throw format_error(folder, "is not a folder; " + looked_for);
    find_parts();
    read_scores();
    read_weights();
    if (log_.loss.empty() && log_.validation.empty() && log_.site_weights.empty()) {
      throw format_error(folder, "holds no logs (looked for rows in <unix seconds>/{loss_train,train_val,weights}.zlog); " + looked_for);
    }
    log_.args = json_beside("args.json");
    log_.metrics = json_beside("val_metrics.json");
  }

  run_log log() && { return std::move(log_); }

 private:
  void find_parts() {
    try {
      for (const auto& entry : std::filesystem::directory_iterator(log_.folder)) {
        const std::string name = entry.path().filename().string();
        const bool is_time = name.find_first_not_of("0123456789") == std::string::npos && name.size() < 19;
        std::int64_t second = 0;
        std::from_chars(name.data(), name.data() + name.size(), second);
        if (is_time && entry.is_directory()) parts_.emplace_back(second, entry.path().string());
      }
    } catch (const std::filesystem::filesystem_error& failure) {
      throw format_error(log_.folder, "cannot be read: " + failure.code().message());
    }
    std::sort(parts_.begin(), parts_.end());
  }

  /// Rows of KEY in time order, so that a later row for the same step can replace an earlier one.
  template <class Use>
  void for_each_row(const std::string& key, Use use) {
    for (const auto& part : parts_) {
      const std::string path = part.second + "/" + key + ".zlog";
      if (std::filesystem::exists(path)) read_rows(path, log_.warnings, use);
    }
  }

  step_values read_score_log(const std::string& key) {
    step_values out;
    for_each_row(key, [&](const ordered_json& row, const std::string& where) {
      out[global_step(row, "train_global_state", where)] = number_or_nan(row, "score", where);
    });
    return out;
  }

  void read_scores() {
    step_values loss;
    step_values rate;
    for_each_row("loss_train", [&](const ordered_json& row, const std::string& where) {
      const auto step = required<std::int64_t>(row, "global_step", where);
      loss[step] = number_or_nan(row, "loss_val", where);
      if (row.contains("learning_rate")) rate[step] = number_or_nan(row, "learning_rate", where);
    });
    log_.loss = as_series(loss);
    log_.learning_rate = as_series(rate);
    const step_values validation = read_score_log("train_val");
    log_.validation = as_series(validation);
    log_.best = best_of(read_score_log("train_val_best"), validation);
  }

  void read_weights() {
    std::map<std::int64_t, std::map<std::pair<int, std::size_t>, double>> rows;  // step -> (site, adapter) -> weight
    std::map<std::string, std::size_t> adapter_index;
    for_each_row("weights", [&](const ordered_json& row, const std::string& where) {
      auto& weights = rows[global_step(row, "tgs", where)];
      weights.clear();
      const auto sites = required<ordered_json>(row, "weights", where);
      if (!sites.is_object()) throw format_error(where, "\"weights\" is " + sites.dump() + ", an object of sites was expected");
      for (const auto& [key, mix] : sites.items()) {
        const int site = site_of(key, where);
        if (!mix.is_object()) throw format_error(where, "\"" + key + "\" is " + mix.dump() + ", an object of weights was expected");
        for (const auto& [name, unused] : mix.items()) {
          const auto [known, is_new] = adapter_index.emplace(name, log_.adapters.size());
          if (is_new) log_.adapters.push_back(name);
          weights[{site, known->second}] = number_or_nan(mix, name, where);
          log_.site_weights[site];
        }
      }
    });
    for (auto& [site, lines] : log_.site_weights) lines.resize(log_.adapters.size());
    for (const auto& [step, weights] : rows) {
      log_.weight_steps.push_back(static_cast<double>(step));
      for (auto& [site, lines] : log_.site_weights) {
        for (std::size_t i = 0; i < lines.size(); ++i) {
          const auto found = weights.find({site, i});
          lines[i].add(static_cast<double>(step), found == weights.end() ? std::numeric_limits<double>::quiet_NaN() : found->second);
        }
      }
    }
  }

  ordered_json json_beside(const std::string& name) const {
    const std::string path = log_.folder + "/" + name;
    return std::filesystem::exists(path) ? read_json<ordered_json>(path) : ordered_json();
  }

  run_log log_;
  std::vector<std::pair<std::int64_t, std::string>> parts_;
};

}  // namespace detail

/// Reads the logs of the run in FOLDER. The parts of a resumed run (time folders, or rows appended to one file) are merged by
/// `global_step`, the later row winning.
/// @throws format_error  no such folder; no logs in it; a line that is no JSON object or lacks its step (named by file and line)
inline run_log read_run_log(const std::string& folder) { return detail::run_log_reader(folder).log(); }

}  // namespace graft
