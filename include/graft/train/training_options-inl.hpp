#pragma once
// Bodies of graft/train/training_options.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/range.hpp"
#include "graft/train/training_options.hpp"

namespace graft {

GRAFT_INLINE std::int64_t steps_per_epoch(std::size_t rows, const training_options& o) {
  const auto count = static_cast<std::int64_t>(rows);
  const auto batches = count / o.train_batch_size + (count % o.train_batch_size != 0);
  return batches / o.gradient_accumulation_steps;
}

GRAFT_INLINE void check_options(const training_options& o) {
  const auto count = [](const char* name, std::int64_t value, const range& allowed) {
    check_range(name, static_cast<double>(value), allowed);
  };
  count("train_batch_size", o.train_batch_size, ranges::count);
  count("eval_batch_size", o.eval_batch_size, ranges::count);
  count("num_train_epochs", o.num_train_epochs, ranges::count_or_none);
  count("max_steps", o.max_steps, {-1, ranges::count.most});
  count("gradient_accumulation_steps", o.gradient_accumulation_steps, ranges::count);
  count("micro_batch_tokens", o.micro_batch_tokens, ranges::count_or_none);
  count("eval_every_steps", o.eval_every_steps, ranges::count_or_none);
  count("early_stopping_patience", o.early_stopping_patience, ranges::count_or_none);
  check_range("early_stopping_threshold", o.early_stopping_threshold, ranges::rate);
  count("save_every_steps", o.save_every_steps, ranges::count_or_none);
  check_range("learning_rate", o.learning_rate, ranges::rate);
  check_range("mixing_learning_rate", o.mixing_learning_rate, ranges::rate);
  check_range("warmup_proportion", o.warmup_proportion, ranges::proportion);
  if (o.warmup_steps) check_range("warmup_steps", *o.warmup_steps, ranges::count_or_none);
  check_range("max_grad_norm", o.max_grad_norm, ranges::rate);
  for (const double weight : o.loss.class_weights) check_range("class_weights", weight, ranges::class_weight);
  check_range("label_smoothing", o.loss.label_smoothing, ranges::proportion);
  check_range("adam_epsilon", o.optimizer.epsilon, ranges::epsilon);
}

}  // namespace graft
