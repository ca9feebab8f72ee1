#include "plot/run_log.hpp"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <system_error>

namespace graft::program::detail {

/// VALUE as it can stand in a message.
std::string excerpt(const ordered_json& value) {
  return printable(value.dump(-1, ' ', false, ordered_json::error_handler_t::replace), 100);
}

std::string without_bare_nan(std::string_view line) {
  std::string text;
  text.reserve(line.size());
  for (bool in_string = false; !line.empty();) {
    std::size_t used = 1;
    const auto word = [&](std::string_view bare) { return line.starts_with(bare) ? bare.size() : 0; };
    if (const std::size_t bare = in_string ? 0 : std::max({word("NaN"), word("Infinity"), word("-Infinity")}); bare > 0) {
      text += "null";
      line.remove_prefix(bare);
      continue;
    }
    if (in_string && line[0] == '\\') used = std::min<std::size_t>(2, line.size());
    if (line[0] == '"') in_string = !in_string;
    text += line.substr(0, used);
    line.remove_prefix(used);
  }
  return text;
}

ordered_json parse_row(std::string_view line, const std::string& where) {
  std::vector<std::size_t> members;  // of the objects that are open
  const auto watch = [&](int depth, ordered_json::parse_event_t event, ordered_json&) {
    if (depth > graft::detail::deepest_json)
      throw format_error(where, "is nested more than " + std::to_string(graft::detail::deepest_json) + " levels deep, which no log is");
    if (event == ordered_json::parse_event_t::object_start) members.push_back(0);
    if (event == ordered_json::parse_event_t::object_end) members.pop_back();
    if (event == ordered_json::parse_event_t::key && ++members.back() > most_members) {
      throw format_error(where, "has an object of more than " + std::to_string(most_members) + " members, which no log has");
    }
    return true;
  };
  return ordered_json::parse(line, watch, false);
}

const ordered_json& member(const ordered_json& row, const std::string& field, const std::string& where) {
  if (!row.is_object()) throw format_error(where, "holds a JSON " + std::string(row.type_name()) + ", an object was expected");
  const auto found = row.find(field);
  if (found == row.end()) throw format_error(where, "has no \"" + field + "\"");
  return *found;
}

std::int64_t global_step(const ordered_json& row, const std::string& field, const std::string& where) {
  return required<std::int64_t>(member(row, field, where), "global_step", where);
}

double number_or_nan(const ordered_json& value, const std::string& field, const std::string& where) {
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!value.is_number()) throw format_error(where, "\"" + field + "\" is " + excerpt(value) + ", a number or null was expected");
  return value.get<double>();
}

double number_or_nan_at(const ordered_json& row, const std::string& field, const std::string& where) {
  const auto found = row.find(field);
  return number_or_nan(found == row.end() ? ordered_json() : *found, field, where);
}

/// "layer_07" -> 7
int site_of(const std::string& key, const std::string& where) {
  const std::string prefix = "layer_";
  const std::string digits = key.starts_with(prefix) ? key.substr(prefix.size()) : "";
  if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != std::string::npos) {
    throw format_error(where, "\"weights\" has a member \"" + printable(key) + "\", layer_00, layer_01, ... were expected");
  }
  int site = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), site);
  return site;
}

series as_series(const step_values& values) {
  series out;
  out.x.reserve(values.size());
  out.y.reserve(values.size());
  for (const auto& [step, value] : values) out.add(static_cast<double>(step), value);
  return out;
}

/// The highest score that `train_val_best` names, the earlier of equals; scores that a resumed run has since replaced do not count.
/// Without such rows (the log is missing), the highest score of `train_val`.
std::optional<std::pair<double, double>> best_of(const step_values& logged_best, const step_values& validation) {
  std::optional<std::pair<double, double>> best;
  const auto take = [&best](std::int64_t step, double score) {
    if (drawable(score) && (!best || score > best->second)) best = {static_cast<double>(step), score};
  };
  for (const auto& [step, score] : logged_best) {
    const auto now = std::lower_bound(validation.begin(), validation.end(), step_value(step, 0),
                                      [](const step_value& a, const step_value& b) { return a.first < b.first; });
    if (now == validation.end() || now->first != step || now->second == score) take(step, score);
  }
  if (!best) {
    for (const auto& [step, score] : validation) take(step, score);
  }
  return best;
}

run_log_reader::run_log_reader(const std::string& folder) {
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
  log_.args = json_in_folder("args.json");
  log_.metrics = json_in_folder("val_metrics.json");
  log_.report = json_in_folder("val_report.json");
}

run_log run_log_reader::log() && { return std::move(log_); }

void run_log_reader::find_parts() {
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

step_values run_log_reader::read_score_log(const std::string& key) {
  step_values out;
  for_each_row(key, [&](const ordered_json& row, const std::string& where) {
    out.emplace_back(global_step(row, "train_global_state", where), number_or_nan_at(row, "score", where));
  });
  merge_steps(out);
  return out;
}

void run_log_reader::read_scores() {
  step_values loss;
  step_values rate;
  for_each_row("loss_train", [&](const ordered_json& row, const std::string& where) {
    const auto step = required<std::int64_t>(row, "global_step", where);
    loss.emplace_back(step, number_or_nan_at(row, "loss_val", where));
    if (row.contains("learning_rate")) rate.emplace_back(step, number_or_nan_at(row, "learning_rate", where));
  });
  merge_steps(loss);
  merge_steps(rate);
  log_.loss = as_series(loss);
  log_.learning_rate = as_series(rate);
  const step_values validation = read_score_log("train_val");
  log_.validation = as_series(validation);
  log_.best = best_of(read_score_log("train_val_best"), validation);
}

std::optional<std::size_t> run_log_reader::adapter_number(const std::string& name) {
  const auto known = adapter_numbers_.find(name);
  if (known != adapter_numbers_.end()) return known->second;
  if (log_.adapters.size() == most_adapters) {
    left_out_ = true;
    return {};
  }
  log_.adapters.push_back(printable(name));
  return adapter_numbers_[name] = log_.adapters.size() - 1;
}

bool run_log_reader::takes_site(int site) {
  if (log_.site_weights.contains(site)) return true;
  if (log_.site_weights.size() < most_sites) return log_.site_weights[site], true;
  left_out_ = true;
  return false;
}

void run_log_reader::read_weights() {
  struct weight {
    int site;
    int adapter;
    double value;
  };
  std::vector<std::pair<std::int64_t, std::vector<weight>>> rows;
  for_each_row("weights", [&](const ordered_json& row, const std::string& where) {
    auto& weights = rows.emplace_back(global_step(row, "tgs", where), std::vector<weight>()).second;
    const ordered_json& sites = member(row, "weights", where);
    if (!sites.is_object()) throw format_error(where, "\"weights\" is " + excerpt(sites) + ", an object of sites was expected");
    for (const auto& [key, mix] : sites.items()) {
      const int site = site_of(key, where);
      if (!mix.is_object()) throw format_error(where, "\"" + key + "\" is " + excerpt(mix) + ", an object of weights was expected");
      for (const auto& [name, value] : mix.items()) {
        const double number = number_or_nan(value, printable(name), where);
        const auto adapter = adapter_number(name);
        if (adapter && takes_site(site)) weights.push_back({site, static_cast<int>(*adapter), number});
      }
    }
    weights.shrink_to_fit();
  });
  merge_steps(rows);
  if (left_out_) {
    log_.warnings.push_back(log_.folder + ": mixes more adapters at more places than a picture can show: drawn are the first " +
                            std::to_string(most_adapters) + " adapters and " + std::to_string(most_sites) + " places");
  }
  for (auto& [site, lines] : log_.site_weights) lines.resize(log_.adapters.size());
  // A weight that a row does not name is a gap; a gap of many rows is one point, so that no series has more points than twice its
  // weights.
  std::map<std::pair<int, int>, std::size_t> next;  // the row after the last one that named this site and adapter
  const auto gap = [&](series& line, std::size_t row) {
    if (line.empty() || !std::isnan(line.y.back()))
      line.add(static_cast<double>(rows[row].first), std::numeric_limits<double>::quiet_NaN());
  };
  for (std::size_t r = 0; r < rows.size(); ++r) {
    log_.weight_steps.push_back(static_cast<double>(rows[r].first));
    for (const weight& w : rows[r].second) {
      series& line = log_.site_weights.at(w.site)[static_cast<std::size_t>(w.adapter)];
      std::size_t& expected = next[{w.site, w.adapter}];
      if (expected < r) gap(line, expected);
      if (expected <= r) line.add(static_cast<double>(rows[r].first), w.value);
      expected = r + 1;
    }
    rows[r].second = {};
  }
  for (auto& [site, lines] : log_.site_weights) {
    for (std::size_t k = 0; k < lines.size(); ++k) {
      const std::size_t expected = next[{site, static_cast<int>(k)}];
      if (expected < rows.size()) gap(lines[k], expected);
    }
  }
}

ordered_json run_log_reader::json_in_folder(const std::string& name) {
  const std::string path = log_.folder + "/" + name;
  if (!is_there(path)) return {};
  try {
    const mapped_file file(path);
    if (file.size() > longest_line)
      throw format_error(path, "has " + std::to_string(file.size()) + " bytes, which no file of this name has");
    return parse_json<ordered_json>(without_bare_nan(file.text()), path);
  } catch (const format_error& failure) {
    log_.warnings.push_back(std::string(failure.what()) + "; the logs are drawn without it");
    return {};
  }
}

}  // namespace graft::program::detail

namespace graft::program {

run_log read_run_log(const std::string& folder) { return detail::run_log_reader(folder).log(); }

}  // namespace graft::program
