#pragma once
// What training tells those who watch it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"

namespace graft {

/// A task's scores. `major` decides which parameters are best.
struct task_metrics {
  double major = 0;
  std::vector<std::pair<std::string, double>> minor;  // in the task's order
};

/// Where a run stands. `epoch_step` counts optimizer steps within the epoch, `global_step` all of them.
struct training_state {
  std::int64_t epoch = 0;
  std::int64_t epoch_step = 0;
  std::int64_t global_step = 0;
  std::int64_t evaluated_step = 0;  // global step of the last evaluation
  std::optional<double> best_score;
  std::int64_t best_step = 0;
  std::int64_t stalled_evaluations = 0;  // the last so many in a row did not beat the best by more than early_stopping_threshold
};

/// One optimizer step, as the logs tell it.
struct step_report {
  std::int64_t epoch, epoch_step, global_step;
  double loss, entropy, learning_rate, gradient_norm;
  std::int64_t examples, tokens;
  double seconds;
};

/// An evaluation during training.
struct evaluation_report {
  training_state state;
  double loss;  // mean over the rows
  task_metrics metrics;
  bool best;
};

/// Called from the training thread; any may be empty.
struct training_observer {
  std::function<void(const step_report&)> step{};
  std::function<void(const evaluation_report&)> evaluated{};
  std::function<void(const training_state&)> saved{};
  std::function<void(const backend_error&)> not_saved{};  // a checkpoint could not be written: training goes on. Empty: it throws
  // before a step is taken, parameters are evaluated, saved or handed over; throws when they are not to be
  std::function<void()> check_inputs{};
};

/// What filling a prefix_cache (train/prefix_cache.hpp) tells; any may be empty.
struct prefix_progress {
  std::function<void(std::int64_t done, std::int64_t all)> rows{};  // of those that were not known: before the first, and after each file
  std::function<void()> waits{};                                    // for another process, which fills the same folder
};

/// Why training ended early: at STEP, WHAT was no finite number.
struct divergence {
  std::int64_t step = 0;
  std::string what{};  // "the loss is nan"
  bool usable = true;  // the model holds finite parameters, of an earlier step
};

}  // namespace graft
