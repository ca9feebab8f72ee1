#include "report/finished_runs.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <set>
#include <system_error>
#include <utility>

#include "graft/core/error.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/data/tasks.hpp"

namespace graft::program {
namespace {

namespace fs = std::filesystem;

/// The folders of runs in FOLDER, or itself; links inside are not followed.
std::vector<std::string> run_folders(const std::string& folder) {
  std::error_code none;
  if (!fs::is_directory(folder, none)) throw format_error(folder, "is no folder of runs");
  if (fs::exists(fs::path(folder) / "run.json", none)) return {folder};
  if (fs::exists(fs::path(folder) / "args.json", none)) return {folder};
  std::vector<std::string> found;
  try {
    for (auto at = fs::recursive_directory_iterator(folder); at != fs::recursive_directory_iterator(); ++at) {
      if (!at->is_directory() || at->is_symlink() || !(fs::exists(at->path() / "run.json") || fs::exists(at->path() / "args.json")))
        continue;
      found.push_back(at->path().string());
      at.disable_recursion_pending();
    }
  } catch (const fs::filesystem_error& failure) {
    throw format_error(folder, "cannot be read: " + failure.code().message());
  }
  std::ranges::sort(found);
  return found;
}

/// What STATE, of run.json, says that decides numbers, but the seed.
ordered_json setting_of(const ordered_json& state) {
  ordered_json asked = state.value("asked", ordered_json::object());
  const bool drawn =
      !asked.value("train_examples_number", ordered_json()).is_null() || !asked.value("train_examples_fraction", ordered_json()).is_null();
  for (const char* name : {"seed", "do_train"}) asked.erase(name);
  asked["command"] = state.value("command", ordered_json());
  const ordered_json reads = state.value("reads", ordered_json::object());
  for (const auto& [name, digest] : reads.items()) {
    // rows that the seed drew differ from run to run
    if (name == "validation rows" || name == "the task's labels" || (drawn && name == "training rows")) continue;
    asked[name] = digest;
  }
  return asked;
}

/// The flag that names what run.json has a digest of.
std::string flag_of(const std::string& name) {
  if (name == "the model") return "model_path";
  if (name == "the model's configuration") return "model_config_path";
  if (name == "the adapter of --adapter_init_path") return "adapter_init_path";
  if (name == "training rows") return "task_config_path";
  return name.starts_with("adapter ") ? "adapter_weights_path" : "";  // flags have no spaces
}

std::string plain_text(const ordered_json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// Names each of SETTINGS by what the others have otherwise.
void name_settings(std::vector<run_setting>& settings) {
  std::vector<std::string> names;
  for (const auto& [name, value] : settings.front().runs.front().asked.items()) names.push_back(name);
  const auto value_of = [](const run_setting& s, const std::string& name) { return s.runs.front().asked.value(name, ordered_json()); };
  std::set<std::string> said;
  for (const std::string& name : names) {
    const ordered_json first = value_of(settings.front(), name);
    if (std::ranges::all_of(settings, [&](const auto& s) { return value_of(s, name) == first; })) continue;
    for (run_setting& s : settings) {
      std::string value = plain_text(value_of(s, name)), shown = name;
      if (const std::string flag = flag_of(name); !flag.empty()) {
        shown = flag;
        value = plain_text(s.runs.front().log.args.value(flag, ordered_json(value)));
      }
      const std::string part = shown + " " + value;
      if (s.name.find(part) == std::string::npos) add_to_list(s.name, part);
    }
  }
  for (run_setting& s : settings) {
    if (s.name.empty()) s.name = settings.size() == 1 ? "all runs" : s.runs.front().log.folder;
  }
}

}  // namespace

double median_of(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double run_setting::median() const {
  std::vector<double> scores;
  for (const auto& run : runs) scores.push_back(run.score);
  return median_of(scores);
}

double run_setting::mean() const {
  double sum = 0;
  for (const auto& run : runs) sum += run.score;
  return sum / static_cast<double>(runs.size());
}

found_runs find_runs(const std::vector<std::string>& folders) {
  found_runs found;
  std::vector<std::string> all;
  for (const std::string& folder : folders) {
    for (std::string& each : run_folders(folder)) {
      const auto same = [&](const std::string& other) { return fs::equivalent(each, other); };
      if (std::ranges::none_of(all, same)) all.push_back(std::move(each));
    }
  }
  struct keyed {
    std::string labels;  // the task's, and those of its validation rows
    run_task task;
  };
  std::vector<keyed> tasks;
  for (const std::string& folder : all) {
    const auto leave_out = [&](const std::string& why) { found.notes.push_back(folder + ": " + why + ", so it is left out"); };
    ordered_json state;
    finished_run run;
    try {
      state = read_json<ordered_json>((fs::path(folder) / "run.json").string());
      if (!state.is_object() || state.value("state", ordered_json()) != "finished") {
        leave_out("has not finished");
        continue;
      }
      run.log = read_run_log(folder);
    } catch (const format_error& failure) {
      found.notes.push_back(std::string(failure.what()) + ", so " + folder + " is left out");
      continue;
    }
    const ordered_json metrics = run.log.metrics.is_object() ? run.log.metrics.value("metrics", ordered_json()) : ordered_json();
    const ordered_json score = metrics.is_object() ? metrics.value("major", ordered_json()) : ordered_json();
    if (!score.is_number()) {
      leave_out("holds no score in val_metrics.json (--do_val)");
      continue;
    }
    run.score = score.get<double>();
    run.asked = setting_of(state);
    const auto text_in = [](const ordered_json& object, const char* name) {
      return object.is_object() ? plain_text(object.value(name, ordered_json(""))) : std::string();
    };
    run.task_path = text_in(run.log.args, "task_config_path");
    run.answers = text_in(run.log.report, "answers");
    const std::string labels = text_in(state.value("reads", ordered_json()), "the task's labels") + run.answers;
    const std::string name = fs::path(run.task_path).stem().string();
    auto task = std::ranges::find_if(tasks, [&](const keyed& k) { return k.task.name == name && k.labels == labels; });
    if (task == tasks.end()) task = tasks.insert(tasks.end(), keyed{labels, {name, {}}});
    auto& settings = task->task.settings;
    auto setting = std::ranges::find_if(settings, [&](const run_setting& s) { return s.runs.front().asked == run.asked; });
    if (setting == settings.end()) setting = settings.insert(settings.end(), run_setting{});
    const auto seed_of = [](const finished_run& r) {
      return r.log.args.is_object() ? r.log.args.value("seed", ordered_json()) : ordered_json();
    };
    for (const finished_run& other : setting->runs) {
      if (!seed_of(run).is_null() && seed_of(run) == seed_of(other)) {
        found.notes.push_back(folder + ": has the seed and the flags of " + other.log.folder + ": the same run twice?");
        break;
      }
    }
    setting->runs.push_back(std::move(run));
  }
  if (tasks.empty()) {
    throw format_error(folders.front(), "holds no finished run with a score" + (found.notes.empty() ? "" : "; " + found.notes.front()));
  }
  for (auto& [labels, task] : tasks) {
    name_settings(task.settings);
    std::ranges::stable_sort(task.settings, [](const run_setting& a, const run_setting& b) {
      return std::pair(a.median(), a.mean()) > std::pair(b.median(), b.mean());
    });
    found.tasks.push_back(std::move(task));
  }
  return found;
}

}  // namespace graft::program
