#pragma once
// The training loop.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graft/data/batch.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/tasks.hpp"
#include "graft/train/training_options.hpp"
#include "graft/train/training_reports.hpp"

namespace graft {

class tunable_model;
namespace detail {
struct training_steps;
}

/// Trains what is trainable in a model, keeps the best parameters, and can stop and go on at any step.
///
/// A step reads `accumulation` batches, each loss divided by that number; an epoch's last batches that do not fill a step are left
/// out, the short last batch is not. With the same seed the same bits come out, resumed or not.
/// Tested: tests/training/trainer_test.cpp
class trainer {
 public:
  enum class outcome : std::uint8_t { finished, stopped, diverged };

  /// MODEL, TRAIN and VALIDATION (nullptr: none) must outlive the trainer.
  /// @throws config_error  an option is out of range, there are too few rows for a single step, or the file's order cannot be kept
  trainer(tunable_model& model, const task& t, const training_options& o, const data_set& train, const data_set* validation);
  ~trainer();

  std::int64_t total_steps() const { return total_; }
  const training_state& state() const { return state_; }

  /// Whether the last `early_stopping_patience` evaluations found nothing better: training is over before its last step.
  bool stops_early() const;

  /// Set when `run` has returned `diverged`.
  const std::optional<divergence>& diverged() const { return diverged_; }

  /// Goes on where the checkpoint PATH stands.
  /// @throws format_error  as load_checkpoint: the rows, options or whatever else the numbers depend on are not those it was written with
  void resume(const std::string& path);

  /// Trains to the end, or until *STOP; then a checkpoint is written and the same call with the same data can go on later.
  /// At the end, which may come early, the model holds the best parameters. So it does when the loss or the gradients of a step are no
  /// finite numbers: that step is not taken, and no checkpoint written any more.
  /// Of a group of ranks (the options' `group`) all train, evaluate and stop together, where *STOP turns true on any; the first alone
  /// writes checkpoints, and reads the one to go on from. Parameters and decisions are the same on all, and those of one process.
  outcome run(const training_observer& observer, const std::atomic<bool>* stop = nullptr);

 protected:
  /// STEPS: those of a model of any type (train/trainer_of.hpp).
  trainer(std::unique_ptr<detail::training_steps> steps, const training_options& o, const data_set& train, const data_set* validation);

 private:
  /// The rows of the epoch at hand, in the order in which steps take them.
  std::vector<std::size_t> rows_in_order() const;

  /// Nothing, and `diverged_` says why, when the step cannot be taken.
  std::optional<step_report> step(const std::vector<std::size_t>& order, const training_observer& observer, const std::atomic<bool>* stop);

  /// Whether *STOP asks to end here: of a group what its ranks agreed on in the last step.
  bool stopped(const std::atomic<bool>* stop) const;

  bool finite(double value, const char* what);

  bool finite_parameters();

  outcome end_early();

  /// All that the numbers of this run depend on.
  run_identity identity(const data_set& train, const data_set* validation) const;

  void fill_batch(const std::vector<std::size_t>& order, std::int64_t number);

  bool evaluation_due() const;

  /// False when stopped on the way. Best is strictly greater; NaN never wins.
  bool evaluate_now(const training_observer& observer, const std::atomic<bool>* stop);

  /// False when there are no finite numbers to save. A failure to write is the observer's to know, unless there is none.
  bool save(const training_observer& observer);
  void write_checkpoint(const training_observer& observer);
  /// The observer may say, by a format_error, that what was just computed came from something else than the model. Then it is dropped, a
  /// checkpoint of the steps before is written, and the observer's exception goes on. With any other, nothing is written.
  void require_inputs(const training_observer& observer);
  outcome stop_here(const training_observer& observer);

  training_options options_;
  const data_set& train_;
  std::vector<std::size_t> lengths_;  // of the rows, where they decide the order
  run_identity identity_;
  const data_set* validation_;
  double warmup_steps_ = 0;
  std::int64_t per_epoch_ = 0;
  std::int64_t total_ = 0;
  training_state state_;
  std::optional<divergence> diverged_;
  bool agreed_stop_ = false;
  batch batch_;
  std::unique_ptr<detail::training_steps> steps_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/trainer-inl.hpp"  // IWYU pragma: export
#endif
