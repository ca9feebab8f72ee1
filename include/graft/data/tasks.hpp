#pragma once
// What a task is (labels, columns, metrics), the nine GLUE tasks, and anyone's own.

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "graft/core/index.hpp"

namespace graft {

/// What is asked of a row: one of some classes, a number, any of some labels at once, or one of some tags for each of its words.
enum class task_kind { classification, regression, multi_label, token_classification };

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

  bool labeled() const;
};

/// A task: what is asked, how answers are called and scored, and where its rows are.
struct task {
  std::string name;
  task_kind kind = task_kind::classification;
  std::vector<std::string> labels;   // the text of each class, in id order; empty for regression
  std::vector<std::string> metrics;  // in the order in which they are reported: see train/metrics.hpp
  std::string major;                 // the metric that decides which parameters are best
  std::vector<task_split> splits;
  std::string glue_folder = "";  // "" for a custom task
  bool skips_short_rows = false;
  double least = -std::numeric_limits<double>::infinity();  // of a regression's targets
  double most = std::numeric_limits<double>::infinity();
  int tag_column = 0;         // of words with tags in columns: which holds the tag, from 1; 0: the last
  bool labels_found = false;  // in rows, in an order that nobody said: no number stands for one

  bool custom() const { return glue_folder.empty(); }
  /// C, the columns of the logits: classes, or 1 for regression.
  index num_labels() const;
};

/// @throws format_error  one of LABELS, which came from FIELD of PATH, is there twice, or holds a character that would break the
///                       tables that answers stand in
void check_labels(const std::vector<std::string>& labels, const std::string& path, const std::string& field = "labels");

/// The nine GLUE tasks, with the folders, files and columns of the published archives (CoLA's train and dev have no header).
const std::vector<task>& glue_tasks();

/// A task of one's own. Metrics: acc, with f1 and mcc when there are two classes (acc is major); as STS-B for regression; of several labels
/// at once f1_micro (major), f1_macro and subset_acc; of tags for words, if they mark entities (data/tags.hpp), entity_f1 (major),
/// entity_precision, entity_recall and acc, else acc.
task custom_task(const std::string& name, task_kind kind, const std::vector<std::string>& labels);

/// A task and where its data lies, as in a task configuration file.
struct task_config {
  graft::task task;
  std::map<std::string, std::string> paths;  // split -> file
};

/// A path that stands in the file NAMED_IN: relative ones are tried from the working directory, then from NAMED_IN's folder.
std::string resolve_path(const std::string& path, const std::string& named_in);

/// Reads {"task": "rte", "paths": {"train": ..., "val": ..., "test": ...}}, or, for a task of one's own,
/// {"task": "custom", "name": ..., "kind": "classification" | "regression" | "multi_label" | "token_classification", "labels": [...],
/// "paths": {...}}. Tags for words may be left out of it, and are those of the training rows then (data/tags.hpp, with_tags_of); a
/// "tag_column" says which column holds them.
/// @throws format_error  no such file, unknown task, kind or split, fewer than two labels (one of several at once), or one twice; of
///                       several at once, a label that cannot stand between commas
task_config read_task_config(const std::string& path);

/// Writes what read_task_config reads. The paths go in as they are.
/// @throws backend_error  as write_file
void write_task_config(const task_config& config, const std::string& path);

/// The GLUE tasks that lie in a folder.
struct glue_folder {
  std::vector<task_config> tasks;  // with absolute paths to the files that are there
  std::vector<std::string> notes;  // what looks like a task's and is not used, and why; a line each
};

/// The GLUE tasks whose files lie in FOLDER under their published names (RTE/train.tsv, SST-2/dev.tsv, ...; .jsonl will do as well), and
/// what was found and is not used.
/// @throws format_error  there are none; the message holds the notes
glue_folder find_glue_tasks(const std::string& folder);

/// The class id of the label TEXT, which stands in line LINE of PATH.
/// @throws format_error  the task has no such label; HINT ends the message
std::int32_t label_id(const task& task, const std::string& text, const std::string& path, std::uint64_t line, const std::string& hint = "");

/// The class ids, in rising order, of the labels in TEXT, which have commas between and stand in line LINE of PATH; "" is none.
/// @throws format_error  the task has no such label, or one is there twice
std::vector<std::int32_t> label_ids(const task& task, const std::string& text, const std::string& path, std::uint64_t line);

/// TASK's regression target TEXT, which stands in line LINE of PATH.
/// @throws format_error  it is no finite decimal number, something stands around it, or it is outside the task's range
double regression_target(const task& task, const std::string& text, const std::string& path, std::uint64_t line);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/tasks-inl.hpp"  // IWYU pragma: export
#endif
