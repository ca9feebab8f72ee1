#pragma once
// The training loop.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/range.hpp"
#include "graft/data/data_set.hpp"
#include "graft/optim/adamw.hpp"
#include "graft/optim/schedule.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/evaluation.hpp"
#include "graft/train/micro_batch_gradients.hpp"

namespace graft {

/// How to train; the names are those of the flags.
struct training_options {
  index train_batch_size = 8;
  index eval_batch_size = 8;
  std::int64_t num_train_epochs = 3;
  std::int64_t max_steps = -1;  // -1: by epochs
  std::int64_t gradient_accumulation_steps = 1;
  index tokens_at_once = usual_tokens_at_once;  // at most about so many in a micro-batch (data/batch.hpp); 0: batches are never cut
  double learning_rate = 1e-5;
  double mixing_learning_rate = 0.01;
  double warmup_proportion = 0.1;
  std::optional<double> warmup_steps{};  // instead of the proportion
  double max_grad_norm = 1;
  adamw_options optimizer{};
  std::uint64_t seed = 0;
  bool shuffle = true;
  bool group_by_length = false;       // batches of rows of similar length; needs `shuffle`
  std::int64_t eval_every_steps = 0;  // 0: only at the end
  index partial_eval_number = 1000;   // of the first validation rows; 0 or less: all
  std::int64_t save_every_steps = 0;  // 0: only when stopped
  std::string checkpoint_path{};      // "": no checkpoints
  run_identity identity{};            // what else the numbers depend on (the trunk, say): a checkpoint is of one such run
  int threads = omp_get_max_threads();
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
  evaluation result;
  bool best;
};

/// Called from the training thread; any may be empty.
struct training_observer {
  std::function<void(const step_report&)> step{};
  std::function<void(const evaluation_report&)> evaluated{};
  std::function<void(const training_state&)> saved{};
  std::function<void(const backend_error&)> not_saved{};  // a checkpoint could not be written: training goes on. Empty: it throws
  std::function<void()> keep{};  // before a step is taken, parameters are evaluated, saved or handed over; throws when they are not to be
};

/// Why training ended early: at STEP, WHAT was no finite number.
struct divergence {
  std::int64_t step = 0;
  std::string what{};  // "the loss is nan"
  bool usable = true;  // the model holds finite parameters, of an earlier step
};

/// T = (ceil(n / batch) // accumulation) x epochs, or max_steps.
inline std::int64_t steps_per_epoch(std::size_t rows, const training_options& o) {
  const auto count = static_cast<std::int64_t>(rows);
  const auto batches = count / o.train_batch_size + (count % o.train_batch_size != 0);
  return batches / o.gradient_accumulation_steps;
}

/// @throws config_error  an option of O is out of range
inline void check_options(const training_options& o) {
  const auto count = [](const char* name, std::int64_t value, const range& allowed) {
    check_range(name, static_cast<double>(value), allowed);
  };
  count("train_batch_size", o.train_batch_size, ranges::count);
  count("eval_batch_size", o.eval_batch_size, ranges::count);
  count("num_train_epochs", o.num_train_epochs, ranges::count_or_none);
  count("max_steps", o.max_steps, {-1, ranges::count.most});
  count("gradient_accumulation_steps", o.gradient_accumulation_steps, ranges::count);
  count("tokens_at_once", o.tokens_at_once, ranges::count_or_none);
  count("eval_every_steps", o.eval_every_steps, ranges::count_or_none);
  count("save_every_steps", o.save_every_steps, ranges::count_or_none);
  check_range("learning_rate", o.learning_rate, ranges::rate);
  check_range("mixing_learning_rate", o.mixing_learning_rate, ranges::rate);
  check_range("warmup_proportion", o.warmup_proportion, ranges::proportion);
  if (o.warmup_steps) check_range("warmup_steps", *o.warmup_steps, ranges::count_or_none);
  check_range("max_grad_norm", o.max_grad_norm, ranges::rate);
  check_range("adam_epsilon", o.optimizer.epsilon, ranges::epsilon);
}

/// Trains what is trainable in a model, keeps the best parameters, and can stop and go on at any step.
///
/// A step reads `accumulation` batches, each loss divided by that number; an epoch's last batches that do not fill a step are left
/// out, the short last batch is not. With the same seed the same bits come out, resumed or not.
/// Tested: tests/training/trainer_test.cpp
template <class M>
class trainer {
 public:
  using real = typename M::real;
  enum class outcome : std::uint8_t { finished, stopped, diverged };

  /// MODEL, TRAIN and VALIDATION (nullptr: none) must outlive the trainer.
  /// @throws config_error  an option is out of range, there are too few rows for a single step, or the file's order cannot be kept
  trainer(M& model, const task& t, const training_options& o, const data_set& train, const data_set* validation);

  std::int64_t total_steps() const { return total_; }
  const training_state& state() const { return state_; }
  /// What the calls of this run get: scratch, counters, profile.
  context& ctx() { return context_; }

  /// Set when `run` has returned `diverged`.
  const std::optional<divergence>& diverged() const { return diverged_; }

  /// Goes on where the checkpoint PATH stands.
  /// @throws format_error  as load_checkpoint: the rows, options or whatever else the numbers depend on are not those it was written with
  void resume(const std::string& path);

  /// Trains to the end, or until *STOP; then a checkpoint is written and the same call with the same data can go on later.
  /// At the end the model holds the best parameters. So it does when the loss or the gradients of a step are no finite numbers: that step
  /// is not taken, and no checkpoint written any more.
  outcome run(const training_observer& observer, const std::atomic<bool>* stop = nullptr);

 private:
  /// The rows of the epoch at hand, in the order in which steps take them.
  std::vector<std::size_t> rows_in_order() const;

  /// Nothing, and `diverged_` says why, when the step cannot be taken.
  std::optional<step_report> step(const std::vector<std::size_t>& order, const training_observer& observer);

  bool finite(double value, const char* what);

  /// The first parameter that holds numbers that are not finite; "": none does.
  std::string unsound_parameter();

  bool finite_parameters();

  outcome end_early();

  /// All that the numbers of this run depend on.
  run_identity identity(const data_set& train, const data_set* validation) const;

  void fill_batch(const std::vector<std::size_t>& order, std::int64_t number);

  bool evaluation_due() const;

  /// False when stopped on the way. Best is strictly greater; NaN never wins.
  bool evaluate_now(const training_observer& observer, const std::atomic<bool>* stop);

  void use_best();

  /// False when there are no finite numbers to save. A failure to write is the observer's to know, unless there is none.
  bool save(const training_observer& observer);
  void write_checkpoint(const training_observer& observer);
  /// The observer may say, by a format_error, that what was just computed came from something else than the model. Then it is dropped, a
  /// checkpoint of the steps before is written, and the observer's exception goes on. With any other, nothing is written.
  void require_inputs(const training_observer& observer);
  outcome stop_here(const training_observer& observer);

  M& model_;
  const task& task_;
  training_options options_;
  const data_set& train_;
  std::vector<std::size_t> lengths_;  // of the rows, where they decide the order
  run_identity identity_;
  const data_set* validation_;
  adamw<real> optimizer_;
  linear_schedule schedule_;
  std::int64_t per_epoch_ = 0;
  std::int64_t total_ = 0;
  training_state state_;
  std::vector<matrix<real>> best_;
  std::optional<divergence> diverged_;
  context context_;
  batch batch_;
  micro_batch_gradients<M> gradient_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/trainer-inl.hpp"  // IWYU pragma: export
#endif
