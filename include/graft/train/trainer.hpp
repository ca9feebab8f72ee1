#pragma once
// The training loop.

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/range.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/sampler.hpp"
#include "graft/model/freezing.hpp"
#include "graft/optim/adamw.hpp"
#include "graft/optim/schedule.hpp"
#include "graft/train/batch_gradient.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/evaluation.hpp"

namespace graft {

struct training_options {
  index train_batch_size = 8;
  index eval_batch_size = 8;
  std::int64_t num_train_epochs = 3;
  std::int64_t max_steps = -1;  // -1: by epochs
  std::int64_t gradient_accumulation_steps = 1;
  index tokens_at_once = usual_tokens_at_once;  // larger batches go through in parts (batch_gradient.hpp); 0: never
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
  trainer(M& model, const task& t, const training_options& o, const data_set& train, const data_set* validation)
      : model_(model), task_(t), options_(o), train_(train), validation_(validation), optimizer_(trainable_parameters(model), o.optimizer) {
    check_options(o);
    per_epoch_ = steps_per_epoch(train.rows.size(), o);
    total_ = o.max_steps >= 0 ? o.max_steps : per_epoch_ * o.num_train_epochs;
    if (per_epoch_ < 1) {
      throw config_error("an epoch of " + std::to_string(train.rows.size()) + " rows does not fill one step of " +
                         std::to_string(o.gradient_accumulation_steps) + " batches: lower gradient_accumulation_steps");
    }
    if (o.group_by_length) {
      if (!o.shuffle) throw config_error("group_by_length changes the order of the rows: it needs shuffle");
      for (const features& row : train.rows) lengths_.push_back(row.input_ids.size());
    }
    schedule_ = {o.warmup_steps.value_or(o.warmup_proportion * static_cast<double>(total_)), static_cast<double>(total_)};
    identity_ = identity(train, validation);
    context_.seed = o.seed;
    context_.threads = o.threads;
    pack_frozen(model_, true, o.threads);
  }

  std::int64_t total_steps() const { return total_; }
  const training_state& state() const { return state_; }
  context& ctx() { return context_; }

  /// Set when `run` has returned `diverged`.
  const std::optional<divergence>& diverged() const { return diverged_; }

  /// Goes on where the checkpoint PATH stands.
  /// @throws format_error  as load_checkpoint: the rows, options or whatever else the numbers depend on are not those it was written with
  void resume(const std::string& path) {
    state_ = load_checkpoint(path, identity_, optimizer_, best_);
    if (state_.epoch_step <= per_epoch_ && state_.epoch * per_epoch_ + state_.epoch_step == state_.global_step) return;
    throw format_error(path, "stands at step " + std::to_string(state_.epoch_step) + " of epoch " + std::to_string(state_.epoch) + " and " +
                                 std::to_string(state_.global_step) + " of all, which epochs of " + std::to_string(per_epoch_) +
                                 " steps do not lead to: give the batch size and accumulation that it was started with");
  }

  /// Trains to the end, or until *STOP; then a checkpoint is written and the same call with the same data can go on later.
  /// At the end the model holds the best parameters. So it does when the loss or the gradients of a step are no finite numbers: that step
  /// is not taken, and no checkpoint written any more.
  outcome run(const training_observer& observer, const std::atomic<bool>* stop = nullptr) {
    const auto stopped = [&] { return stop != nullptr && stop->load(); };
    if (evaluation_due() && !evaluate_now(observer, stop)) return stop_here(observer);
    while (state_.global_step < total_) {
      const auto order = rows_in_order();
      while (state_.epoch_step < per_epoch_ && state_.global_step < total_) {
        if (stopped()) return stop_here(observer);
        const std::optional<step_report> report = step(order, observer);
        if (!report) return end_early();
        if (observer.step) observer.step(*report);
        if (evaluation_due() && !evaluate_now(observer, stop)) return stop_here(observer);
        if (options_.save_every_steps > 0 && state_.global_step % options_.save_every_steps == 0 && !save(observer)) return end_early();
      }
      if (state_.epoch_step == per_epoch_) {
        ++state_.epoch;
        state_.epoch_step = 0;
      }
    }
    if (validation_ != nullptr && state_.evaluated_step != state_.global_step && !evaluate_now(observer, stop)) return stop_here(observer);
    require_inputs(observer);
    use_best();
    return finite_parameters() ? outcome::finished : end_early();
  }

 private:
  /// The rows of the epoch at hand, in the order in which steps take them.
  std::vector<std::size_t> rows_in_order() const {
    const auto epoch = static_cast<std::uint64_t>(state_.epoch);
    auto order = epoch_order(train_.rows.size(), options_.seed, epoch, options_.shuffle);
    if (!options_.group_by_length) return order;
    constexpr std::int64_t least = 50;  // batches: enough to sort among, few enough to stay random
    const std::int64_t parts = options_.gradient_accumulation_steps;
    const auto window = static_cast<std::size_t>((least + parts - 1) / parts * parts);  // whole steps
    return grouped_by_length(std::move(order), lengths_, static_cast<std::size_t>(options_.train_batch_size), window, options_.seed, epoch);
  }

  /// Nothing, and `diverged_` says why, when the step cannot be taken.
  std::optional<step_report> step(const std::vector<std::size_t>& order, const training_observer& observer) {
    const auto started = std::chrono::steady_clock::now();
    const std::int64_t parts = options_.gradient_accumulation_steps;
    step_report report{state_.epoch, state_.epoch_step, state_.global_step + 1, 0, 0, 0, 0, 0, 0, 0};
    context_.training = true;
    for (std::int64_t part = 0; part < parts; ++part) {
      fill_batch(order, state_.epoch_step * parts + part);
      context_.step = static_cast<std::uint64_t>(state_.global_step * parts + part);
      const auto result = gradient_.add(model_, batch_, task_.kind, real(1) / static_cast<real>(parts), options_.tokens_at_once, context_);
      require_inputs(observer);
      if (!finite(result.loss, "the loss")) return std::nullopt;
      report.loss += result.loss / static_cast<double>(parts);
      report.entropy += result.entropy / static_cast<double>(parts);
      report.examples += batch_.size();
      report.tokens += batch_.rows();
    }
    report.gradient_norm = clip_gradients(optimizer_.parameters(), options_.max_grad_norm, context_);
    if (!finite(report.gradient_norm, "the norm of the gradients")) return std::nullopt;
    const double factor = schedule_.factor(state_.global_step + 1);
    report.learning_rate = options_.learning_rate * factor;
    optimizer_.step(report.learning_rate, options_.mixing_learning_rate * factor, options_.threads);
    optimizer_.zero_gradients();
    ++state_.global_step;
    ++state_.epoch_step;
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return report;
  }

  bool finite(double value, const char* what) {
    if (std::isfinite(value)) return true;
    diverged_ = {state_.global_step + 1, what + std::string(std::isnan(value) ? " is nan" : " is infinite")};
    optimizer_.zero_gradients();
    return false;
  }

  /// The first parameter that holds numbers that are not finite; "": none does.
  std::string unsound_parameter() {
    for (const auto* p : optimizer_.parameters()) {
      if (!p->value().allFinite()) return p->name;
    }
    return "";
  }

  bool finite_parameters() {
    const std::string name = unsound_parameter();
    if (name.empty()) return true;
    diverged_ = {state_.global_step, name + " holds numbers that are not finite"};
    return false;
  }

  outcome end_early() {
    use_best();
    diverged_->usable = unsound_parameter().empty();
    return outcome::diverged;
  }

  /// All that the numbers of this run depend on.
  run_identity identity(const data_set& train, const data_set* validation) const {
    const training_options& o = options_;
    run_identity all = o.identity;
    const auto add = [&](const char* name, const ordered_json& value) { all[name] = value.dump(); };
    add("train_batch_size", o.train_batch_size);
    add("num_train_epochs", o.num_train_epochs);
    add("max_steps", o.max_steps);
    add("gradient_accumulation_steps", o.gradient_accumulation_steps);
    add("tokens_at_once", o.tokens_at_once);
    add("learning_rate", o.learning_rate);
    add("mixing_learning_rate", o.mixing_learning_rate);
    add("warmup_proportion", o.warmup_proportion);
    add("warmup_steps", o.warmup_steps ? ordered_json(*o.warmup_steps) : ordered_json());
    add("max_grad_norm", o.max_grad_norm);
    add("optimizer_type", o.optimizer.type == optimizer_type::adam ? "adam" : "radam");
    add("adam_epsilon", o.optimizer.epsilon);
    add("seed", o.seed);
    add("no_shuffle", !o.shuffle);
    add("group_by_length", o.group_by_length);
    add("eval_every_steps", o.eval_every_steps);
    all["training rows"] = rows_digest(train.rows);
    if (o.eval_every_steps > 0 && validation != nullptr) {  // they decide which parameters are the best
      add("partial_eval_number", o.partial_eval_number);
      all["validation rows"] = rows_digest(validation->rows);
    }
    return all;
  }

  void fill_batch(const std::vector<std::size_t>& order, std::int64_t number) {
    batch_.clear();
    const auto first = static_cast<std::size_t>(number * options_.train_batch_size);
    const std::size_t last = std::min(order.size(), first + static_cast<std::size_t>(options_.train_batch_size));
    for (std::size_t i = first; i < last; ++i) batch_.add(train_.rows[order[i]]);
  }

  bool evaluation_due() const {
    return validation_ != nullptr && options_.eval_every_steps > 0 && state_.global_step > 0 &&
           state_.global_step % options_.eval_every_steps == 0 && state_.evaluated_step != state_.global_step;
  }

  /// False when stopped on the way. Best is strictly greater; NaN never wins.
  bool evaluate_now(const training_observer& observer, const std::atomic<bool>* stop) {
    require_inputs(observer);
    std::span<const features> rows = validation_->rows;
    if (options_.partial_eval_number > 0) rows = rows.first(std::min(rows.size(), static_cast<std::size_t>(options_.partial_eval_number)));
    auto result = evaluate(model_, task_, rows, options_.eval_batch_size, context_, stop, options_.tokens_at_once);
    if (!result) return false;
    require_inputs(observer);
    state_.evaluated_step = state_.global_step;
    const double score = result->metrics.major;
    const bool sound = std::isfinite(result->loss) && !std::isnan(score);  // a class is predicted, and may score, from NaN logits too
    const bool best = sound && (!state_.best_score || score > *state_.best_score);
    if (best) {
      state_.best_score = score;
      state_.best_step = state_.global_step;
      best_.clear();
      for (const auto* p : optimizer_.parameters()) best_.emplace_back(p->value());
    }
    if (observer.evaluated) observer.evaluated({state_, std::move(*result), best});
    return true;
  }

  void use_best() {
    for (std::size_t i = 0; i < best_.size(); ++i) optimizer_.parameters()[i]->edit() = best_[i];
  }

  /// False when there are no finite numbers to save. A failure to write is the observer's to know, unless there is none.
  bool save(const training_observer& observer) {
    if (options_.checkpoint_path.empty()) return true;
    if (!finite_parameters()) return false;
    require_inputs(observer);
    write_checkpoint(observer);
    return true;
  }
  void write_checkpoint(const training_observer& observer) {
    if (options_.checkpoint_path.empty()) return;
    try {
      save_checkpoint(options_.checkpoint_path, identity_, state_, optimizer_, best_);
    } catch (const backend_error& failure) {
      if (!observer.not_saved) throw;
      observer.not_saved(failure);
      return;
    }
    if (observer.saved) observer.saved(state_);
  }
  /// The observer may say, by a format_error, that what was just computed came from something else than the model. Then it is dropped, a
  /// checkpoint of the steps before is written, and the observer's exception goes on. With any other, nothing is written.
  void require_inputs(const training_observer& observer) {
    if (!observer.keep) return;
    try {
      observer.keep();
    } catch (const format_error&) {
      optimizer_.zero_gradients();
      if (finite_parameters()) write_checkpoint(observer);
      throw;
    }
  }
  outcome stop_here(const training_observer& observer) { return save(observer) ? outcome::stopped : end_early(); }

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
  batch_gradient<M> gradient_;
};

}  // namespace graft
