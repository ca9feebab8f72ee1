#pragma once
// Bodies of graft/data/tasks.hpp.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <system_error>

#include "graft/core/compiled.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/fields.hpp"
#include "graft/data/jsonl.hpp"
#include "graft/data/tags.hpp"
#include "graft/data/tasks.hpp"

namespace graft {

GRAFT_INLINE bool task_split::labeled() const { return name.rfind("test", 0) != 0; }

GRAFT_INLINE index task::num_labels() const { return kind == task_kind::regression ? 1 : static_cast<index>(labels.size()); }

GRAFT_INLINE void check_labels(const std::vector<std::string>& labels, const std::string& path, const std::string& field) {
  std::vector<std::string> sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) throw format_error(path, '"' + field + "\" has " + in_quotes(*twice) + " twice");
  for (const std::string& label : labels) {
    if (printable(label, label.size()) == label) continue;
    throw format_error(path, '"' + field + "\" has " + in_quotes(label) + ", with a character that cannot be seen: take it out");
  }
}

GRAFT_INLINE const std::vector<task>& glue_tasks() {
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
         "STS-B",
         false,
         0,
         5},
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

GRAFT_INLINE task custom_task(const std::string& name, task_kind kind, const std::vector<std::string>& labels) {
  task result{name, kind, labels, {"acc"}, "acc", {{"train"}, {"val"}, {"test"}}};
  if (labels.size() == 2) result.metrics = {"acc", "f1", "mcc"};
  if (kind == task_kind::regression) {
    result.metrics = {"pearson", "spearmanr", "pearson_and_spearman"};
    result.major = "pearson_and_spearman";
  }
  if (kind == task_kind::multi_label) {
    result.metrics = {"f1_micro", "f1_macro", "subset_acc"};
    result.major = "f1_micro";
  }
  if (kind == task_kind::token_classification) {
    result.metrics = {"acc"};
    if (labels.empty() || marks_entities(labels)) result.metrics = {"entity_f1", "entity_precision", "entity_recall", "acc"};
    result.major = result.metrics[0];
  }
  return result;
}

GRAFT_INLINE std::string resolve_path(const std::string& path, const std::string& named_in) {
  const auto relative_to_file = std::filesystem::path(named_in).parent_path() / path;
  std::error_code none;
  return !std::filesystem::exists(path, none) && std::filesystem::exists(relative_to_file, none) ? relative_to_file.string() : path;
}

namespace detail {

/// TEXT without spaces around it.
GRAFT_INLINE std::string without_spaces(const std::string& text) {
  const std::size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  return first == text.npos ? "" : text.substr(first, last + 1 - first);
}

inline constexpr std::pair<const char*, task_kind> task_kinds[] = {{"classification", task_kind::classification},
                                                                   {"regression", task_kind::regression},
                                                                   {"multi_label", task_kind::multi_label},
                                                                   {"token_classification", task_kind::token_classification}};

}  // namespace detail

GRAFT_INLINE task_config read_task_config(const std::string& path) {
  const json object = read_json(path);
  const auto name = required<std::string>(object, "task", path);
  for (const auto& [field, value] : object.items()) {
    const bool custom_only = field == "kind" || field == "labels" || field == "tag_column";
    if (field == "task" || field == "name" || field == "paths" || (custom_only && name == "custom")) continue;
    throw format_error(path, "has \"" + printable(field, 60) + "\", " +
                                 (custom_only ? "which only a task \"custom\" has: a task of GLUE brings its own"
                                              : "which graft does not know; known are task, name, kind, labels, tag_column, paths"));
  }
  task_config config;
  if (name == "custom") {
    const auto kind = required<std::string>(object, "kind", path);
    const auto found =
        std::find_if(std::begin(detail::task_kinds), std::end(detail::task_kinds), [&](const auto& k) { return kind == k.first; });
    if (found == std::end(detail::task_kinds)) {
      throw format_error(path, "\"kind\" is \"" + printable(kind, 60) +
                                   "\", \"classification\", \"regression\", \"multi_label\" (several labels at once) or "
                                   "\"token_classification\" (a tag for each word) was expected");
    }
    std::vector<std::string> labels;
    for (const json& label : optional<std::vector<json>>(object, "labels", path, {})) labels.push_back(label_text(label, path));
    std::vector<std::string> sorted = labels;
    std::sort(sorted.begin(), sorted.end());
    const bool twice = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
    const bool several = found->second == task_kind::multi_label;
    const bool tags = found->second == task_kind::token_classification;
    if (kind != "regression" && !(tags && !object.contains("labels")) && (labels.size() < (several ? 1 : 2) || twice)) {
      throw format_error(path, "\"labels\" is [" + listed(labels, in_quotes) + "], " + (several ? "one" : "two") +
                                   " or more different ones were expected");
    }
    for (const std::string& label : labels) {
      if (!several || (label.find(',') == label.npos && detail::without_spaces(label) == label && !label.empty())) continue;
      throw format_error(path,
                         "\"labels\" has " + in_quotes(label) +
                             ": where several hold at once they stand between commas, a name without commas, and spaces around it, was "
                             "expected");
    }
    check_labels(labels, path);
    if (kind == "regression" && !labels.empty()) throw format_error(path, "has \"labels\", which a regression task does not have");
    config.task = custom_task(required<std::string>(object, "name", path), found->second, labels);
    if (object.contains("tag_column")) {
      if (!tags) throw format_error(path, "has \"tag_column\", which only a task of \"kind\": \"token_classification\" has");
      const auto& column = object["tag_column"];
      if (!column.is_number_integer()) {
        throw format_error(path, "\"tag_column\" is " + shown(column) + ", a whole number was expected, the column of the tags, from 1");
      }
      config.task.tag_column = required<int>(object, "tag_column", path);
      if (config.task.tag_column < 2) {
        throw format_error(path, "\"tag_column\" is " + std::to_string(config.task.tag_column) +
                                     ", a number from 2 on was expected: the first column holds the words");
      }
    }
  } else {
    const auto& known = glue_tasks();
    const auto found = std::find_if(known.begin(), known.end(), [&](const task& t) { return t.name == name; });
    if (found == known.end()) {
      throw format_error(path, "\"task\" is \"" + printable(name, 60) + "\", expected one of " +
                                   listed(known, [](const task& t) { return t.name; }) + ", custom");
    }
    config.task = *found;
  }
  const auto& splits = config.task.splits;
  for (const auto& [split, file] : required<std::map<std::string, std::string>>(object, "paths", path)) {
    if (std::none_of(splits.begin(), splits.end(), [&wanted = split](const task_split& s) { return s.name == wanted; })) {
      throw format_error(path, "\"paths\" has \"" + printable(split, 60) + "\", expected some of " +
                                   listed(splits, [](const task_split& s) { return s.name; }));
    }
    config.paths[split] = resolve_path(file, path);
  }
  return config;
}

GRAFT_INLINE void write_task_config(const task_config& config, const std::string& path) {
  ordered_json object{{"task", config.task.custom() ? "custom" : config.task.name}};
  if (config.task.custom()) {
    object["name"] = config.task.name;
    for (const auto& [kind, value] : detail::task_kinds) {
      if (value == config.task.kind) object["kind"] = kind;
    }
    const bool unsaid = config.task.kind == task_kind::token_classification && config.task.labels.empty();
    if (config.task.kind != task_kind::regression && !unsaid) object["labels"] = config.task.labels;
    if (config.task.tag_column > 0) object["tag_column"] = config.task.tag_column;
  }
  object["paths"] = config.paths;
  write_file(path, object.dump(2) + "\n");
}

}  // namespace graft

namespace graft::detail {

/// "sst2" for "SST-2" and "sst_2".
GRAFT_INLINE std::string bare_name(const std::string& name) {
  std::string bare;
  for (const char c : lower_ascii(name)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) bare += c;
  }
  return bare;
}

/// The GLUE task that a folder called NAME may be of, under whatever spelling; null if none.
GRAFT_INLINE const task* glue_task_like(const std::string& name) {
  const std::string bare = bare_name(name);
  for (const task& candidate : glue_tasks()) {
    if (bare == bare_name(candidate.glue_folder) || bare == candidate.name) return &candidate;
    if (candidate.name == "mnli" && bare.starts_with("multinli")) return &candidate;
  }
  return nullptr;
}

/// The names of the files in FOLDER that look like rows, in order, a few of them: "a.tsv, b.txt".
GRAFT_INLINE std::string row_files(const std::filesystem::path& folder, const std::vector<std::string>& but) {
  std::vector<std::string> names;
  std::error_code none;
  for (std::filesystem::directory_iterator entry(folder, none), end; entry != end; entry.increment(none)) {
    const std::string name = entry->path().filename().string(), extension = lower_ascii(entry->path().extension().string());
    const bool rows = extension == ".tsv" || extension == ".jsonl" || extension == ".txt" || extension == ".csv" || extension == ".json" ||
                      extension == ".parquet" || extension == ".arrow" || extension == ".gz" || extension == ".zip";
    if (rows && std::find(but.begin(), but.end(), name) == but.end()) names.push_back(printable(name, 60));
  }
  std::sort(names.begin(), names.end());
  const std::size_t more = names.size() > 5 ? names.size() - 5 : 0;
  names.resize(names.size() - more);
  return listed(names) + (more > 0 ? " and " + std::to_string(more) + " more" : "");
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE glue_folder find_glue_tasks(const std::string& folder) {
  namespace fs = std::filesystem;
  const auto root = fs::absolute(folder).lexically_normal();
  std::error_code none;
  glue_folder found;
  const auto note = [&](const fs::path& path, const std::string& what) {
    found.notes.push_back(printable((fs::path(folder) / path).lexically_normal().string()) + ": " + what);
  };
  for (const task& candidate : glue_tasks()) {
    task_config config{candidate, {}};
    const fs::path& task_folder = candidate.glue_folder;
    std::vector<std::string> used;
    std::string absent;
    for (const task_split& split : candidate.splits) {
      for (const char* extension : {".jsonl", ".tsv"}) {
        const auto file = root / task_folder / (split.stem + extension);
        if (!fs::is_regular_file(file, none)) continue;
        if (config.paths.contains(split.name))
          note(task_folder / (split.stem + ".jsonl"), "is not used, " + split.stem + ".tsv beside it is");
        config.paths[split.name] = file.string();
        used.push_back(file.filename().string());
      }
      if (!config.paths.contains(split.name)) add_to_list(absent, split.stem + ".tsv");
    }
    const bool no_train = !config.paths.contains("train"), no_val = !config.paths.contains("val");
    if (fs::is_directory(root / task_folder, none) && !absent.empty()) {
      const std::string others = detail::row_files(root / task_folder, used);
      const std::string what =
          (used.empty() ? "is not used: it has none of " : "has no ") + absent + (others.empty() ? "" : "; it has " + others);
      const bool raw = candidate.name == "mrpc" && others.find("msr_paraphrase") != std::string::npos;
      if (used.empty() || no_train != no_val || !others.empty()) {
        note(task_folder,
             what + (raw ? ", the corpus as published, of which GLUE's download script makes train.tsv, dev.tsv and test.tsv" : ""));
      }
    }
    if (!config.paths.empty()) found.tasks.push_back(config);
  }
  std::vector<fs::path> others;
  for (fs::directory_iterator entry(root, none), end; entry != end; entry.increment(none)) others.push_back(entry->path());
  std::sort(others.begin(), others.end());
  for (const fs::path& other : others) {
    const std::string name = other.filename().string();
    const task* const like = detail::glue_task_like(name);
    const bool is_folder = fs::is_directory(other, none);
    if (!is_folder && (like == nullptr || other.has_extension())) continue;
    if (like != nullptr && name == like->glue_folder && is_folder) continue;
    if (like != nullptr) {
      note(name, is_folder ? "is not used: the folder of the task " + like->name + " is called " + like->glue_folder
                           : "is not used: it is no folder");
    } else if (!detail::row_files(other, {}).empty()) {
      note(name, "is not used: it is the folder of none of the nine tasks");
    }
  }
  if (found.tasks.empty()) {
    const bool one_task = fs::exists(root / "train.tsv", none) || fs::exists(root / "dev.tsv", none);
    throw format_error(folder, std::string(fs::is_directory(root, none) ? "holds no GLUE files" : "is not a folder") +
                                   "; expected train.tsv, dev.tsv or test.tsv in at least one of its folders " +
                                   listed(glue_tasks(), [](const task& t) { return t.glue_folder; }) +
                                   (one_task ? "; it has train.tsv or dev.tsv itself: give the folder above it" : "") +
                                   (found.notes.empty() ? "" : "; " + listed(found.notes)));
  }
  return found;
}

GRAFT_INLINE std::int32_t label_id(const task& task, const std::string& text, const std::string& path, std::uint64_t line,
                                   const std::string& hint) {
  const auto found = std::find(task.labels.begin(), task.labels.end(), text);
  if (found == task.labels.end()) {
    const bool number = !text.empty() && text.find_first_not_of("-0123456789") == std::string::npos;
    const std::string whole = text.ends_with(".0") ? text.substr(0, text.size() - 2) : "";
    const bool meant = std::find(task.labels.begin(), task.labels.end(), whole) != task.labels.end();
    const bool numbered = std::all_of(task.labels.begin(), task.labels.end(),
                                      [](const std::string& label) { return label.find_first_not_of("-0123456789") == std::string::npos; });
    throw format_error::at_line(
        path, line,
        "label \"" + printable(text, 60) + "\", expected one of " + listed(task.labels, in_quotes) +
            (meant ? "; write " + in_quotes(whole) + " (a table's numbers become fractions where one of them is missing)" : "") +
            (number && !numbered ? "; which of them a number stands for differs between loaders, and is not guessed" : "") +
            detail::unseen_character(text) + hint);
  }
  return static_cast<std::int32_t>(found - task.labels.begin());
}

GRAFT_INLINE std::vector<std::int32_t> label_ids(const task& task, const std::string& text, const std::string& path, std::uint64_t line) {
  std::vector<std::int32_t> ids;
  if (detail::without_spaces(text).empty()) return ids;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    ids.push_back(label_id(task, detail::without_spaces(text.substr(begin, end - begin)), path, line));
    begin = end + 1;
  }
  std::sort(ids.begin(), ids.end());
  if (const auto twice = std::adjacent_find(ids.begin(), ids.end()); twice != ids.end()) {
    throw format_error::at_line(path, line,
                                "label " + in_quotes(text) + " has " + in_quotes(task.labels[static_cast<std::size_t>(*twice)]) +
                                    " twice: the names of the labels that hold were expected, not 0 or 1 for each");
  }
  return ids;
}

GRAFT_INLINE double regression_target(const task& task, const std::string& text, const std::string& path, std::uint64_t line) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || !std::isfinite(value)) {
    throw format_error::at_line(path, line, "label \"" + printable(text, 60) + "\", a number was expected");
  }
  if (value < task.least || value > task.most) {
    throw format_error::at_line(path, line,
                                "label \"" + text + "\", a number from " + number_text(task.least) + " to " + number_text(task.most) +
                                    " was expected for " + task.name);
  }
  return value;
}

}  // namespace graft
