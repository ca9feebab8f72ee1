#pragma once
// An encoder with what is tuned around it, of any kind and in a precision chosen at run time: to train, evaluate and save.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/precision_choice.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/example.hpp"
#include "graft/data/tasks.hpp"
#include "graft/encoder/config.hpp"
#include "graft/model/description.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/train/training_reports.hpp"

namespace graft {

struct evaluation;
class rank_group;
struct taken_start;
class tensor_source;
namespace detail {
struct tunable_base;
}

/// How what is tuned begins, and in what it is computed.
struct tuning_start {
  std::uint64_t seed = 0;
  double initializer_range = 0.0002;                               // standard deviation of fresh adapters' weights
  multi_adapter_ft_mode mix_tuning = multi_adapter_ft_mode::base;  // kind "multi_adapter"
  graft::precision precision = graft::precision::automatic;
};

/// Numbers that a model consists of.
struct model_size {
  std::int64_t all = 0, trained = 0;
  std::int64_t tuned = 0;         // what save_tuned writes
  std::int64_t number_bytes = 0;  // of one of them, as it is saved
};

/// The model that a description describes: an adapter in every layer, a low-rank update, a mix of adapters, all of the encoder, or the head
/// alone is trained. It begins with fresh adapters, updates and head; the encoder comes from a file.
/// Movable.   Tested: tests/train/tunable_model_test.cpp; tests/program/train_test.cpp, whose runs go through it
class tunable_model {
 public:
  /// WHAT around an encoder of C's sizes, which is still to be loaded.
  /// @throws config_error  a setting is out of range or does not fit the encoder
  tunable_model(const encoder_config& c, const model_description& what, const tuning_start& start = {});
  /// WHAT around the encoder in FILES, loaded; the description says which encoder it is.
  /// @throws format_error  a file is missing or damaged, or does not fit the configuration
  tunable_model(const trunk_files& files, const model_description& what, const tuning_start& start = {});
  tunable_model(tunable_model&&) noexcept;
  ~tunable_model();

  const encoder_config& config() const;
  const model_description& description() const;
  model_size size() const;
  /// About the bytes that training takes in batches of ROWS tokens, the longest sequence LONGEST of them.
  std::int64_t training_bytes(index rows, index longest, int threads, bool keeps_best) const;

  /// The encoder's tensors. True when ENCODER brings no pooler where the head needs one: it stays fresh then. FOR_TRAINING: THREADS
  /// threads, 0 all, prepare each frozen weight for products and their gradients while its numbers are in cache, which else a trainer
  /// does before its first step, from memory. Not before use_prefix_cache, whose layers need no preparing.
  /// @throws format_error  a tensor is missing, of another shape, or has a number that is not finite
  bool load_encoder(const tensor_source& encoder, bool for_training = false, int threads = 0);
  /// The adapter called NAME in the mix from ADAPTER, and its LayerNorms from NORMS: the same, or the encoder's where it was trained with
  /// those.
  void load_mixed_adapter(const std::string& name, const tensor_source& adapter, const tensor_source& norms);
  /// Starts from what was tuned before, as graft::start_from (model/loading.hpp) does.
  taken_start start_from(const tensor_source& source, const std::vector<std::string>& notes = {});
  /// The head takes over rows of another's, as graft::start_head (model/loading.hpp) does. After load_encoder.
  index start_head(const tensor_source& head, const std::vector<std::optional<std::size_t>>& rows);
  /// All that is trained, from a file that save_tuned or save_everything wrote.
  /// @throws format_error  a tensor is not there
  void load_trained(const tensor_source& saved);
  /// What is trained becomes, on every rank of GROUP, what the first has.
  void share_trained(rank_group& group);
  /// From now on the layers below the lowest tuned one drop out nothing, and what they make of rows is read from FOLDER as far as it is
  /// there (train/prefix_cache.hpp), in training and evaluation. Behind all that loads, and before a trainer. How many layers they are.
  /// @throws config_error  there are none   @throws as prefix_cache
  index use_prefix_cache(const std::string& folder);
  /// Puts into that folder what of ROWS is not there. False when *STOP turned true on the way: what was written by then stays.
  /// @throws backend_error  the disk is full, or the folder not writable
  bool fill_prefix_cache(std::span<const features> rows, int threads = 0, const prefix_progress& progress = {},
                         const std::atomic<bool>* stop = nullptr);
  /// Prepares to evaluate; a trainer prepares for itself.
  void pack(int threads = 0);

  /// Loss, metrics and logits of labeled ROWS; BATCH_SIZE rows or about TOKENS tokens go through at once. Nothing when *STOP turns true.
  /// The ranks of GROUP, if there is one, each compute a share, and all get the result. Who looks at it includes train/evaluation.hpp.
  std::optional<evaluation> evaluate(const task& t, std::span<const features> rows, index batch_size = 8, int threads = 0,
                                     const std::atomic<bool>* stop = nullptr, index tokens = usual_micro_batch_tokens,
                                     rank_group* group = nullptr) const;
  /// The logits of ROWS, row by row, num_labels() of the description each. Otherwise as above.
  std::optional<std::vector<double>> predict_logits(std::span<const features> rows, index batch_size = 8, int threads = 0,
                                                    const std::atomic<bool>* stop = nullptr, index tokens = usual_micro_batch_tokens,
                                                    rank_group* group = nullptr) const;
  /// Of a mix: the weights at each site, from the first layer's attention on. Else empty.
  std::vector<std::vector<double>> mixing_weights() const;

  /// Writes what was tuned, or all of the model, to PATH, with the description and MORE in its metadata.
  /// @throws backend_error  it cannot be written
  void save_tuned(const std::string& path, const std::map<std::string, std::string>& more = {}) const;
  void save_everything(const std::string& path, const std::map<std::string, std::string>& more = {}) const;

 private:
  friend struct detail::tunable_base;

  std::unique_ptr<detail::tunable_base> base_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/tunable_model-inl.hpp"  // IWYU pragma: export
#endif
