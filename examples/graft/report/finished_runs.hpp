#pragma once
// Finished runs, read back from their folders, and which of them did the same but for the seed.

#include <string>
#include <vector>

#include "graft/core/json.hpp"
#include "plot/run_log.hpp"

namespace graft::program {

/// A run that has ended, and was evaluated at its end.
struct finished_run {
  run_log log;
  ordered_json asked;     // what it was asked and what it read, as far as it decides numbers, but the seed
  std::string task_path;  // its task configuration
  std::string answers;    // digest of the validation rows' labels; "": an earlier version's, which did not say
  double score = 0;       // the task's major metric
};

/// Runs that differ in their seed alone.
struct run_setting {
  std::string name;  // what is its own: "learning_rate 0.001, adapter_size 16"
  std::vector<finished_run> runs;

  double median() const;  // of the scores
  double mean() const;
};

/// The settings of one task, the one with the best median first, of equal ones that with the best mean.
struct run_task {
  std::string name;
  std::vector<run_setting> settings;
};

struct found_runs {
  std::vector<run_task> tasks;
  std::vector<std::string> notes;  // what was left out, and why
};

/// The runs in FOLDERS, each one's folder or one that holds them at any depth.
/// @throws format_error  a folder that is not there, or none of them holds a finished run; what read_run_log refuses
found_runs find_runs(const std::vector<std::string>& folders);

double median_of(std::vector<double> values);

}  // namespace graft::program
