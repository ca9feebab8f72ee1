#pragma once
// Runs the training of any model: logs, progress, evaluation, predictions, saving.

#include <cstdint>
#include <functional>
#include <string>

#include "graft/core/json.hpp"
#include "graft/train/tunable_model.hpp"
#include "run/log_writer.hpp"
#include "run/training_run.hpp"

namespace graft::program {

/// What a kind of model adds to a run; all are called with the log and the global step, and may be empty.
struct model_hooks {
  std::function<void(log_writer&, const ordered_json& position, std::int64_t step, std::int64_t total)>
      log_step;  // before the first step (step 0) and after each
};

/// The encoder into MODEL, from RUN, which no longer needs it; what stays fresh of the head is said.
void load_encoder(tunable_model& model, prepared_run& run);

/// Reads --adapter_init_path, if it is given, into MODEL, and says how much of what is trained it held and what was not as it stands there.
void load_start(tunable_model& model, prepared_run& run);

/// The exit code of a run whose training diverged.
inline constexpr int diverged_exit_code = 3;

/// Trains MODEL as the flags say, evaluates, predicts and saves. The exit code: 0; 130 when stopped by a signal; 3 when training diverged.
int train_model(tunable_model& model, const prepared_run& run, const std::string& trained, const model_hooks& hooks = {});

}  // namespace graft::program
