#pragma once
// How a model is trained.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "graft/core/index.hpp"
#include "graft/data/batch.hpp"
#include "graft/losses/loss_options.hpp"
#include "graft/optim/adamw_options.hpp"
#include "graft/optim/schedule_type.hpp"

namespace graft {

/// What the numbers of a run depend on: name -> value, or digest of what is read. "learning_rate" -> "0.001", "training rows" -> 16 digits.
using run_identity = std::map<std::string, std::string>;

class rank_group;

/// How to train; the names are those of the flags.
struct training_options {
  index train_batch_size = 8;
  index eval_batch_size = 8;
  std::int64_t num_train_epochs = 3;
  std::int64_t max_steps = -1;  // -1: by epochs
  std::int64_t gradient_accumulation_steps = 1;
  index micro_batch_tokens = usual_micro_batch_tokens;  // at most about so many in a micro-batch (data/batch.hpp); 0: batches are never cut
  double learning_rate = 1e-5;
  double mixing_learning_rate = 0.01;
  double warmup_proportion = 0.1;
  std::optional<double> warmup_steps{};  // instead of the proportion
  schedule_type lr_scheduler_type = schedule_type::linear;
  double max_grad_norm = 1;
  adamw_options optimizer{};
  loss_options loss{};  // of training: the loss of an evaluation is plain
  std::uint64_t seed = 0;
  bool shuffle = true;
  bool group_by_length = false;              // batches of rows of similar length; needs `shuffle`
  std::int64_t eval_every_steps = 0;         // 0: only at the end
  index partial_eval_number = 1000;          // of the first validation rows; 0 or less: all
  std::int64_t early_stopping_patience = 0;  // evaluations in a row without a better score that end training; 0: none do
  double early_stopping_threshold = 0;       // better is: by more than this
  std::int64_t save_every_steps = 0;         // 0: only when stopped
  std::string checkpoint_path{};             // "": no checkpoints
  run_identity identity{};                   // what else the numbers depend on (the trunk, say): a checkpoint is of one such run
  int threads = 0;                           // 0: as many as OpenMP takes; no more than processors (core/threads.hpp)
  rank_group* group = nullptr;               // processes that train together, with the same options but for threads; null: this one alone
};

/// T = (ceil(n / batch) // accumulation) x epochs, or max_steps.
std::int64_t steps_per_epoch(std::size_t rows, const training_options& o);

/// @throws config_error  an option of O is out of range
void check_options(const training_options& o);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/training_options-inl.hpp"  // IWYU pragma: export
#endif
