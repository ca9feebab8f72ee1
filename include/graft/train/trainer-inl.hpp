#pragma once
// Bodies of graft/train/trainer.hpp.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/data/sampler.hpp"
#include "graft/optim/schedule.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/trainer.hpp"
#include "graft/train/training_steps.hpp"
#include "graft/train/tunable_of.hpp"

namespace graft {

GRAFT_INLINE trainer::trainer(tunable_model& model, const task& t, const training_options& o, const data_set& train,
                              const data_set* validation)
    : trainer(detail::tunable_base::of(model).steps(t, o), o, train, validation) {}

GRAFT_INLINE trainer::~trainer() = default;

GRAFT_INLINE trainer::trainer(std::unique_ptr<detail::training_steps> steps, const training_options& o, const data_set& train,
                              const data_set* validation)
    : options_(o), train_(train), validation_(validation), steps_(std::move(steps)) {
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
  if (o.early_stopping_patience > 0 && (o.eval_every_steps < 1 || validation == nullptr)) {
    throw config_error("early_stopping_patience counts evaluations during training: it needs eval_every_steps and validation rows");
  }
  warmup_steps_ = o.warmup_steps.value_or(o.warmup_proportion * static_cast<double>(total_));
  identity_ = identity(train, validation);
  steps_->begin();
}

GRAFT_INLINE void trainer::resume(const std::string& path) {
  state_ = steps_->load(path, identity_);
  if (state_.epoch_step <= per_epoch_ && state_.epoch * per_epoch_ + state_.epoch_step == state_.global_step) return;
  throw format_error(path, "stands at step " + std::to_string(state_.epoch_step) + " of epoch " + std::to_string(state_.epoch) + " and " +
                               std::to_string(state_.global_step) + " of all, which epochs of " + std::to_string(per_epoch_) +
                               " steps do not lead to: give the batch size and accumulation that it was started with");
}

GRAFT_INLINE trainer::outcome trainer::run(const training_observer& observer, const std::atomic<bool>* stop) {
  if (evaluation_due() && !evaluate_now(observer, stop)) return stop_here(observer);
  while (state_.global_step < total_ && !stops_early()) {
    const auto order = rows_in_order();
    while (state_.epoch_step < per_epoch_ && state_.global_step < total_ && !stops_early()) {
      if (stopped(stop)) return stop_here(observer);
      const std::optional<step_report> report = step(order, observer, stop);
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
  steps_->use_best();
  return finite_parameters() ? outcome::finished : end_early();
}

GRAFT_INLINE bool trainer::stops_early() const {
  return options_.early_stopping_patience > 0 && state_.stalled_evaluations >= options_.early_stopping_patience;
}

GRAFT_INLINE std::vector<std::size_t> trainer::rows_in_order() const {
  const auto epoch = static_cast<std::uint64_t>(state_.epoch);
  auto order = epoch_order(train_.rows.size(), options_.seed, epoch, options_.shuffle);
  if (!options_.group_by_length) return order;
  constexpr std::int64_t least = 50;  // batches: enough to sort among, few enough to stay random
  const std::int64_t parts = options_.gradient_accumulation_steps;
  const auto window = static_cast<std::size_t>((least + parts - 1) / parts * parts);  // whole steps
  return grouped_by_length(std::move(order), lengths_, static_cast<std::size_t>(options_.train_batch_size), window, options_.seed, epoch);
}

GRAFT_INLINE bool trainer::stopped(const std::atomic<bool>* stop) const {
  return options_.group != nullptr ? agreed_stop_ : stop != nullptr && stop->load();
}

GRAFT_INLINE std::optional<step_report> trainer::step(const std::vector<std::size_t>& order, const training_observer& observer,
                                                      const std::atomic<bool>* stop) {
  const auto started = std::chrono::steady_clock::now();
  const std::int64_t parts = options_.gradient_accumulation_steps;
  step_report report{state_.epoch, state_.epoch_step, state_.global_step + 1, 0, 0, 0, 0, 0, 0, 0};
  for (std::int64_t part = 0; part < parts; ++part) {
    fill_batch(order, state_.epoch_step * parts + part);
    const auto result =
        steps_->add_gradient(batch_, static_cast<std::uint64_t>(state_.global_step * parts + part), parts, stop != nullptr && stop->load());
    agreed_stop_ = agreed_stop_ || result.stop;
    require_inputs(observer);
    if (!finite(result.loss, "the loss")) return std::nullopt;
    report.loss += result.loss / static_cast<double>(parts);
    report.entropy += result.entropy / static_cast<double>(parts);
    report.examples += batch_.size();
    report.tokens += batch_.rows();
  }
  report.gradient_norm = steps_->clip(options_.max_grad_norm);
  if (!finite(report.gradient_norm, "the norm of the gradients")) return std::nullopt;
  const double factor =
      rate_schedule{warmup_steps_, static_cast<double>(total_), options_.lr_scheduler_type}.factor(state_.global_step + 1);
  report.learning_rate = options_.learning_rate * factor;
  steps_->update(report.learning_rate, options_.mixing_learning_rate * factor);
  ++state_.global_step;
  ++state_.epoch_step;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return report;
}

GRAFT_INLINE bool trainer::finite(double value, const char* what) {
  if (std::isfinite(value)) return true;
  diverged_ = {state_.global_step + 1, what + std::string(std::isnan(value) ? " is nan" : " is infinite")};
  steps_->drop_gradients();
  return false;
}

GRAFT_INLINE bool trainer::finite_parameters() {
  const std::string name = steps_->unsound_parameter();
  if (name.empty()) return true;
  diverged_ = {state_.global_step, name + " holds numbers that are not finite"};
  return false;
}

GRAFT_INLINE trainer::outcome trainer::end_early() {
  steps_->use_best();
  diverged_->usable = steps_->unsound_parameter().empty();
  return outcome::diverged;
}

GRAFT_INLINE run_identity trainer::identity(const data_set& train, const data_set* validation) const {
  const training_options& o = options_;
  run_identity all = o.identity;
  const auto add = [&](const char* name, const ordered_json& value) { all[name] = value.dump(); };
  add("train_batch_size", o.train_batch_size);
  add("num_train_epochs", o.num_train_epochs);
  add("max_steps", o.max_steps);
  add("gradient_accumulation_steps", o.gradient_accumulation_steps);
  add("micro_batch_tokens", o.micro_batch_tokens);
  add("learning_rate", o.learning_rate);
  add("mixing_learning_rate", o.mixing_learning_rate);
  add("warmup_proportion", o.warmup_proportion);
  add("warmup_steps", o.warmup_steps ? ordered_json(*o.warmup_steps) : ordered_json());
  add("lr_scheduler_type", schedule_type_name(o.lr_scheduler_type));
  add("max_grad_norm", o.max_grad_norm);
  add("class_weights", o.loss.class_weights);
  add("label_smoothing", o.loss.label_smoothing);
  add("optimizer_type", o.optimizer.type == optimizer_type::adam ? "adam" : "radam");
  add("adam_epsilon", o.optimizer.epsilon);
  add("seed", o.seed);
  add("no_shuffle", !o.shuffle);
  add("group_by_length", o.group_by_length);
  add("eval_every_steps", o.eval_every_steps);
  add("the prefix cache", steps_->known_layers());
  all["training rows"] = rows_digest(train.rows);
  if (o.eval_every_steps > 0 && validation != nullptr) {  // they decide which parameters are the best
    add("partial_eval_number", o.partial_eval_number);
    add("early_stopping_patience", o.early_stopping_patience);
    add("early_stopping_threshold", o.early_stopping_threshold);
    all["validation rows"] = rows_digest(validation->rows);
  }
  return all;
}

GRAFT_INLINE void trainer::fill_batch(const std::vector<std::size_t>& order, std::int64_t number) {
  batch_.clear();
  const auto first = static_cast<std::size_t>(number * options_.train_batch_size);
  const std::size_t last = std::min(order.size(), first + static_cast<std::size_t>(options_.train_batch_size));
  for (std::size_t i = first; i < last; ++i) batch_.add(train_.rows[order[i]]);
}

GRAFT_INLINE bool trainer::evaluation_due() const {
  return validation_ != nullptr && options_.eval_every_steps > 0 && state_.global_step > 0 &&
         state_.global_step % options_.eval_every_steps == 0 && state_.evaluated_step != state_.global_step;
}

GRAFT_INLINE bool trainer::evaluate_now(const training_observer& observer, const std::atomic<bool>* stop) {
  require_inputs(observer);
  std::span<const features> rows = validation_->rows;
  if (options_.partial_eval_number > 0) rows = rows.first(std::min(rows.size(), static_cast<std::size_t>(options_.partial_eval_number)));
  const auto result = steps_->evaluate(rows, stop);
  if (!result) return false;
  require_inputs(observer);
  state_.evaluated_step = state_.global_step;
  const double score = result->metrics.major;
  const bool sound = std::isfinite(result->loss) && !std::isnan(score);  // a class is predicted, and may score, from NaN logits too
  const bool best = sound && (!state_.best_score || score > *state_.best_score);
  const bool better = best && (!state_.best_score || score - *state_.best_score > options_.early_stopping_threshold);
  state_.stalled_evaluations = better ? 0 : state_.stalled_evaluations + 1;
  if (best) {
    state_.best_score = score;
    state_.best_step = state_.global_step;
    steps_->keep_best();
  }
  if (observer.evaluated) observer.evaluated({state_, result->loss, result->metrics, best});
  return true;
}

GRAFT_INLINE bool trainer::save(const training_observer& observer) {
  if (options_.checkpoint_path.empty()) return true;
  if (!finite_parameters()) return false;
  require_inputs(observer);
  write_checkpoint(observer);
  return true;
}

GRAFT_INLINE void trainer::write_checkpoint(const training_observer& observer) {
  if (options_.checkpoint_path.empty()) return;
  try {
    steps_->save(options_.checkpoint_path, identity_, state_);
  } catch (const backend_error& failure) {
    if (!observer.not_saved) throw;
    observer.not_saved(failure);
    return;
  }
  if (observer.saved) observer.saved(state_);
}

GRAFT_INLINE void trainer::require_inputs(const training_observer& observer) {
  if (!observer.check_inputs) return;
  try {
    observer.check_inputs();
  } catch (const format_error&) {
    steps_->drop_gradients();
    if (finite_parameters()) write_checkpoint(observer);
    throw;
  }
}

GRAFT_INLINE trainer::outcome trainer::stop_here(const training_observer& observer) {
  return save(observer) ? outcome::stopped : end_early();
}

}  // namespace graft
