#pragma once
// What a task is (labels, columns, metrics), the nine GLUE tasks, anyone's own, and how their examples are read.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/core/types.hpp"
#include "graft/data/example.hpp"
#include "graft/data/jsonl.hpp"
#include "graft/data/tsv.hpp"

namespace graft {

enum class task_kind { classification, regression };

/// Where a TSV holds what, counted from 0; -1: nowhere.
struct tsv_columns {
  int text_a = -1;
  int text_b = -1;
  int label = -1;
  int adapter = -1;  // custom tasks only: see example
};

/// One part of a task's data. Parts whose name starts with "test" have no labels; labels found there are not read.
struct task_split {
  std::string name;          // "train", "val", "test", ...
  std::string stem = "";     // of the GLUE file: "dev" for dev.tsv
  tsv_columns columns = {};  // of a GLUE TSV; a custom TSV names its columns in its header
  bool header = true;

  bool labeled() const { return name.rfind("test", 0) != 0; }
};

struct task {
  std::string name;
  task_kind kind = task_kind::classification;
  std::vector<std::string> labels;   // the text of each class, in id order; empty for regression
  std::vector<std::string> metrics;  // in the order in which they are reported: see train/metrics.hpp
  std::string major;                 // the metric that decides which parameters are best
  std::vector<task_split> splits;
  std::string glue_folder = "";  // "" for a custom task
  bool skips_short_rows = false;

  bool custom() const { return glue_folder.empty(); }
  /// C, the columns of the logits: classes, or 1 for regression.
  index num_labels() const { return kind == task_kind::regression ? 1 : static_cast<index>(labels.size()); }
};

namespace detail {

/// "a, b, c" for error messages.
template <class Range, class Text>
std::string listed(const Range& range, Text&& text) {
  std::string result;
  for (const auto& item : range) result += (result.empty() ? "" : ", ") + text(item);
  return result;
}

inline std::string quoted(const std::string& text) { return '"' + text + '"'; }

}  // namespace detail

/// The nine GLUE tasks, with the folders, files and columns of the published archives (CoLA's train and dev have no header).
inline const std::vector<task>& glue_tasks() {
  static const std::vector<task> tasks = [] {
    const auto usual = [](tsv_columns labeled, tsv_columns test, bool header = true) {
      return std::vector<task_split>{{"train", "train", labeled, header}, {"val", "dev", labeled, header}, {"test", "test", test}};
    };
    const auto classes = task_kind::classification;
    const std::vector<std::string> digits{"0", "1"}, entailment{"entailment", "not_entailment"};
    const std::vector<std::string> with_f1{"acc", "f1", "acc_and_f1"};
    const tsv_columns pair{1, 2}, paraphrase{3, 4, 0}, mnli_dev{8, 9, 15};
    return std::vector<task>{
        {"cola", classes, digits, {"mcc"}, "mcc", usual({3, -1, 1}, {1}, false), "CoLA"},
        {"sst", classes, digits, {"acc"}, "acc", usual({0, -1, 1}, {1}), "SST-2"},
        {"mrpc", classes, digits, with_f1, "acc_and_f1", usual(paraphrase, {3, 4}), "MRPC"},
        {"stsb",
         task_kind::regression,
         {},
         {"pearson", "spearmanr", "pearson_and_spearman"},
         "pearson_and_spearman",
         usual({7, 8, 9}, {7, 8}),
         "STS-B"},
        {"qqp", classes, digits, with_f1, "acc_and_f1", usual({3, 4, 5}, pair), "QQP", true},
        {"mnli",
         classes,
         {"contradiction", "entailment", "neutral"},
         {"acc"},
         "acc",
         {{"train", "train", {8, 9, 11}},
          {"val", "dev_matched", mnli_dev},
          {"val_mismatched", "dev_mismatched", mnli_dev},
          {"test", "test_matched", {8, 9}},
          {"test_mismatched", "test_mismatched", {8, 9}}},
         "MNLI"},
        {"qnli", classes, entailment, {"acc"}, "acc", usual({1, 2, 3}, pair), "QNLI"},
        {"rte", classes, entailment, {"acc"}, "acc", usual({1, 2, 3}, pair), "RTE"},
        {"wnli", classes, digits, {"acc"}, "acc", usual({1, 2, 3}, pair), "WNLI"},
    };
  }();
  return tasks;
}

/// A task of one's own. Metrics: acc, with f1 and mcc when there are two classes (acc is major); or as STS-B for regression.
inline task custom_task(const std::string& name, task_kind kind, const std::vector<std::string>& labels) {
  task result{name, kind, labels, {"acc"}, "acc", {{"train"}, {"val"}, {"test"}}};
  if (labels.size() == 2) result.metrics = {"acc", "f1", "mcc"};
  if (kind == task_kind::regression) {
    result.metrics = {"pearson", "spearmanr", "pearson_and_spearman"};
    result.major = "pearson_and_spearman";
  }
  return result;
}

/// A task and where its data lies, as in the file that --task_config_path names.
struct task_config {
  graft::task task;
  std::map<std::string, std::string> paths;  // split -> file
};

/// A path that stands in the file NAMED_IN: relative ones are tried from the working directory, then from NAMED_IN's folder.
inline std::string resolve_path(const std::string& path, const std::string& named_in) {
  const auto beside = std::filesystem::path(named_in).parent_path() / path;
  return !std::filesystem::exists(path) && std::filesystem::exists(beside) ? beside.string() : path;
}

/// Reads {"task": "rte", "paths": {"train": ..., "val": ..., "test": ...}}, or, for a task of one's own,
/// {"task": "custom", "name": ..., "kind": "classification" | "regression", "labels": [...], "paths": {...}}.
/// @throws format_error  no such file, unknown task, kind or split, fewer than two labels, or one twice
inline task_config read_task_config(const std::string& path) {
  const json object = read_json(path);
  const auto name = required<std::string>(object, "task", path);
  task_config config;
  if (name == "custom") {
    const auto kind = required<std::string>(object, "kind", path);
    if (kind != "classification" && kind != "regression") {
      throw format_error(path, "\"kind\" is \"" + kind + "\", \"classification\" or \"regression\" was expected");
    }
    std::vector<std::string> labels;
    for (const json& label : optional<std::vector<json>>(object, "labels", path, {})) labels.push_back(label_text(label, path));
    std::vector<std::string> sorted = labels;
    std::sort(sorted.begin(), sorted.end());
    const bool twice = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
    if (kind == "classification" && (labels.size() < 2 || twice)) {
      throw format_error(path, "\"labels\" is [" + detail::listed(labels, detail::quoted) + "], two or more different ones were expected");
    }
    if (kind == "regression" && !labels.empty()) throw format_error(path, "has \"labels\", which a regression task does not have");
    config.task = custom_task(required<std::string>(object, "name", path),
                              kind == "regression" ? task_kind::regression : task_kind::classification, labels);
  } else {
    const auto& known = glue_tasks();
    const auto found = std::find_if(known.begin(), known.end(), [&](const task& t) { return t.name == name; });
    if (found == known.end()) {
      throw format_error(path, "\"task\" is \"" + name + "\", expected one of " +
                                   detail::listed(known, [](const task& t) { return t.name; }) + ", custom");
    }
    config.task = *found;
  }
  const auto& splits = config.task.splits;
  for (const auto& [split, file] : required<std::map<std::string, std::string>>(object, "paths", path)) {
    if (std::none_of(splits.begin(), splits.end(), [&wanted = split](const task_split& s) { return s.name == wanted; })) {
      throw format_error(
          path, "\"paths\" has \"" + split + "\", expected some of " + detail::listed(splits, [](const task_split& s) { return s.name; }));
    }
    config.paths[split] = resolve_path(file, path);
  }
  return config;
}

/// Writes what read_task_config reads. The paths go in as they are.
/// @throws backend_error  as write_file
inline void write_task_config(const task_config& config, const std::string& path) {
  ordered_json object{{"task", config.task.custom() ? "custom" : config.task.name}};
  if (config.task.custom()) {
    object["name"] = config.task.name;
    object["kind"] = config.task.kind == task_kind::regression ? "regression" : "classification";
    if (config.task.kind == task_kind::classification) object["labels"] = config.task.labels;
  }
  object["paths"] = config.paths;
  write_file(path, object.dump(2) + "\n");
}

/// The GLUE tasks whose files lie in FOLDER under their published names (RTE/train.tsv, SST-2/dev.tsv, ...; .jsonl will do as
/// well), each with absolute paths to the files that are there.
/// @throws format_error  there are none
inline std::vector<task_config> find_glue_tasks(const std::string& folder) {
  const auto root = std::filesystem::absolute(folder).lexically_normal();
  std::vector<task_config> found;
  for (const task& candidate : glue_tasks()) {
    task_config config{candidate, {}};
    for (const task_split& split : candidate.splits) {
      for (const char* extension : {".jsonl", ".tsv"}) {
        const auto file = root / candidate.glue_folder / (split.stem + extension);
        if (std::filesystem::is_regular_file(file)) config.paths[split.name] = file.string();
      }
    }
    if (!config.paths.empty()) found.push_back(config);
  }
  if (found.empty()) {
    throw format_error(folder, std::string(std::filesystem::is_directory(root) ? "holds no GLUE files" : "is not a folder") +
                                   "; expected train.tsv, dev.tsv or test.tsv in at least one of its folders " +
                                   detail::listed(glue_tasks(), [](const task& t) { return t.glue_folder; }));
  }
  return found;
}

namespace detail {

/// The columns that HEADER, the first row of a custom TSV, names.
inline tsv_columns named_columns(const tsv_row& header, bool labeled, const std::string& path) {
  const auto find = [&](std::string_view name) {
    const auto at = std::find(header.fields.begin(), header.fields.end(), name);
    return at == header.fields.end() ? -1 : static_cast<int>(at - header.fields.begin());
  };
  const tsv_columns columns{find("text_a"), find("text_b"), labeled ? find("label") : -1, find("adapter")};
  if (columns.text_a < 0 || (labeled && columns.label < 0)) {
    throw format_error::at_line(path, header.line,
                                std::string("the header names no column \"") + (columns.text_a < 0 ? "text_a" : "label") +
                                    "\"; tab-separated names were expected: text_a, text_b (optional), label");
  }
  return columns;
}

inline std::vector<example> read_tsv_examples(const task& task, const task_split& split, const std::string& path, std::size_t* skipped) {
  const mapped_file file(path);
  std::vector<example> examples;
  tsv_columns columns = split.columns;
  for_each_tsv_row(file.text(), path, [&](const tsv_row& row) {
    if (row.line == 1 && split.header) {
      if (task.custom()) columns = named_columns(row, split.labeled(), path);
      return;
    }
    const auto needed = static_cast<std::size_t>(std::max({columns.text_a, columns.text_b, columns.label, columns.adapter})) + 1;
    if (row.fields.size() < needed) {
      if (!task.skips_short_rows) {
        throw format_error::at_line(path, row.line,
                                    "has " + std::to_string(row.fields.size()) + " tab-separated column(s), " + std::to_string(needed) +
                                        " needed for " + task.name + " " + split.name);
      }
      if (skipped != nullptr) ++*skipped;
      return;
    }
    example& added = examples.emplace_back();
    added.line = row.line;
    added.text_a = row.fields[static_cast<std::size_t>(columns.text_a)];
    if (columns.text_b >= 0) added.text_b = row.fields[static_cast<std::size_t>(columns.text_b)];
    if (columns.label >= 0) added.label = row.fields[static_cast<std::size_t>(columns.label)];
    if (columns.adapter >= 0) added.adapter = row.fields[static_cast<std::size_t>(columns.adapter)];
  });
  return examples;
}

inline std::vector<example> read_jsonl_examples(const task_split& split, const std::string& path) {
  std::vector<example> examples = read_jsonl(path);
  for (example& row : examples) {
    if (!split.labeled()) row.label.reset();
    if (split.labeled() && !row.label) throw format_error::at_line(path, row.line, "has no \"label\"");
  }
  return examples;
}

}  // namespace detail

/// The examples of SPLIT in the file PATH, in file order: .tsv in GLUE's form (for a custom task: with a header that names text_a,
/// text_b and label), or .jsonl. All rows of a split that is not a test split have labels.
/// @param[in,out] skipped  raised by the number of rows left out for want of columns, which happens for QQP alone
/// @throws format_error  unreadable, another extension, no rows, a short row, or what the two formats refuse
/// @throws config_error  the task has no such split
inline std::vector<example> read_examples(const task& task, const std::string& split_name, const std::string& path,
                                          std::size_t* skipped = nullptr) {
  const auto split = std::find_if(task.splits.begin(), task.splits.end(), [&](const task_split& s) { return s.name == split_name; });
  if (split == task.splits.end()) throw config_error("task " + task.name + " has no split \"" + split_name + "\"");
  const std::string extension = std::filesystem::path(path).extension().string();
  std::vector<example> examples;
  if (extension == ".tsv") {
    examples = detail::read_tsv_examples(task, *split, path, skipped);
  } else if (extension == ".jsonl") {
    examples = detail::read_jsonl_examples(*split, path);
  } else {
    throw format_error(path, "ends in \"" + extension + "\", a .tsv or .jsonl file was expected");
  }
  if (examples.empty()) throw format_error(path, "holds no rows");
  return examples;
}

/// The class id of the label TEXT, which stands in line LINE of PATH.
/// @throws format_error  the task has no such label
inline std::int32_t label_id(const task& task, const std::string& text, const std::string& path, std::uint64_t line) {
  const auto found = std::find(task.labels.begin(), task.labels.end(), text);
  if (found == task.labels.end()) {
    throw format_error::at_line(path, line, "label \"" + text + "\", expected one of " + detail::listed(task.labels, detail::quoted));
  }
  return static_cast<std::int32_t>(found - task.labels.begin());
}

/// The regression target TEXT, which stands in line LINE of PATH.
/// @throws format_error  it is no finite decimal number, or something stands around it
inline double regression_target(const std::string& text, const std::string& path, std::uint64_t line) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || !std::isfinite(value)) {
    throw format_error::at_line(path, line, "label \"" + text + "\", a number was expected");
  }
  return value;
}

}  // namespace graft
