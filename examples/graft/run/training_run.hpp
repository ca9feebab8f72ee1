#pragma once
// What train-adapter and train-multi-adapter share: everything of a run but the model that is trained.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flags/flags.hpp"
#include "flags/training_flags.hpp"
#include "graft/data/data_set.hpp"
#include "graft/encoder/config.hpp"
#include "graft/exchange/start.hpp"
#include "graft/io/tensor_source.hpp"
#include "graft/model/description.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/train/trainer.hpp"
#include "graft/train/tunable_model.hpp"
#include "host/stop.hpp"
#include "run/log_writer.hpp"
#include "run/run_folder.hpp"

namespace graft::program {

/// A run that is about to start: flags resolved, output folder locked, trunk opened, data featurized.
struct prepared_run {
  std::string command;
  training_flags flags;
  ordered_json args;
  task_config tasks;
  encoder_config config;
  tensor_source trunk;                     // until the model is loaded
  std::optional<adapter_file> own_head{};  // that the model brings, until the model is loaded
  head_start head{};                       // what of it this task begins with
  std::string fingerprint;
  index max_seq_length = 0;
  std::string precision_reason;
  std::map<std::string, data_set> data;  // split -> rows, of the splits that this run needs
  std::unique_ptr<run_folder> folder;
  run_identity reads;                                         // digests of what the run reads, by name
  std::vector<std::pair<std::string, std::string>> adapters;  // of the mix: name and path
  std::map<std::string, std::vector<example>> examples{};     // the rows of `data` as they were read, of those that --do_val reports on

  const data_set* split(const std::string& name) const {
    const auto found = data.find(name);
    return found == data.end() ? nullptr : &found->second;
  }
  std::string file(const std::string& name) const { return folder->file(name); }
  std::string checkpoint() const { return folder->checkpoint(); }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(flags.seed); }
};

/// Checks flags and output folder, reads configuration, trunk and data.
/// @throws error  whatever one of its files is refused for; nothing was written then
prepared_run prepare(const std::string& command, const flag_table& table, const training_flags& flags);

/// The description of what this run will save; the trainers add what is theirs.
model_description describe(const prepared_run& run, tuning_kind kind);

/// How what is tuned begins, from the flags.
tuning_start start_of(const prepared_run& run);

/// The options of the trainer, from the flags.
training_options trainer_options(const prepared_run& run);

/// Prints the banner. TRAINED is in words; COUNTS and BYTES from model/memory.hpp.
void print_banner(const prepared_run& run, const std::string& trained, std::int64_t all, std::int64_t trained_count, std::int64_t steps,
                  std::int64_t bytes);

/// Takes the output folder: from here on there is something to lose.
void begin_output(const prepared_run& run);

/// Computes what the run's prefix cache, if it has one, does not know of its rows. False when *STOP turned true on the way.
bool fill_prefix_cache(tunable_model& model, const prepared_run& run, const std::atomic<bool>* stop);

/// @throws format_error  the trunk, an adapter or what else of weights the run read is no longer what it was: where its file is mapped,
///                       numbers may come from what is there now
void check_files();
/// The same, and @throws backend_error  the output folder is no longer that of the run
void check_files(const prepared_run& run);

/// Metrics in a line: "acc 0.6120  f1 0.7000".
std::string metrics_text(const task_metrics& m);

/// `{"epoch":..,"epoch_step":..,"global_step":..}`
ordered_json position(std::int64_t epoch, std::int64_t epoch_step, std::int64_t global_step);

}  // namespace graft::program
