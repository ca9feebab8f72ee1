#pragma once
// The flags of train-adapter and train-multi-adapter, resolved and typed. Defaults stand here, descriptions in the table.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flags/flags.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft::program {

struct training_flags {
  // task and model
  std::string task_config_path;
  std::string output_dir;
  std::string model_type;
  std::string model_path;
  std::string model_config_path;
  std::string model_tokenizer_path;
  std::optional<std::int64_t> max_seq_length;
  std::optional<std::int64_t> train_examples_number;
  std::optional<double> train_examples_fraction;

  // training
  bool do_train = false;
  std::int64_t train_batch_size = 8;
  std::int64_t gradient_accumulation_steps = 1;
  std::int64_t micro_batch_tokens = 216;
  std::int64_t num_train_epochs = 3;
  std::int64_t max_steps = -1;
  double learning_rate = 1e-5;
  std::optional<double> warmup_steps;
  double warmup_proportion = 0.1;
  std::string lr_scheduler_type = "linear";
  std::string optimizer_type = "adam";
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1;
  std::string class_weights;
  double label_smoothing = 0;
  std::optional<double> dropout;
  std::int64_t seed = -1;
  bool no_shuffle = false;
  bool group_by_length = false;
  std::string prefix_cache;

  // evaluation and saving
  bool do_val = false;
  bool do_test = false;
  bool do_save = false;
  bool do_save_full = false;
  std::int64_t eval_batch_size = 8;
  std::int64_t eval_every_steps = 0;
  std::int64_t partial_eval_number = 1000;
  std::int64_t early_stopping_patience = 0;
  double early_stopping_threshold = 0;
  std::int64_t save_every_steps = 0;
  bool tensorboard = false;
  bool resume = false;
  bool force_overwrite = false;

  // adapters
  std::string tune = "adapters";                // train-adapter only
  std::string adapter_method = "bottleneck";    // train-adapter only
  std::string adapter_placement = "houlsby";    // train-adapter only
  double adapter_scaling = 1;                   // train-adapter only
  double adapter_dropout = 0;                   // train-adapter only
  std::string adapter_settings;                 // train-adapter only
  std::string adapter_layer_norm;               // train-adapter only
  std::vector<std::string> adapter_layers;      // train-adapter only
  std::int64_t lora_r = 8;                      // train-adapter only
  double lora_alpha = 8;                        // train-adapter only
  double lora_dropout = 0;                      // train-adapter only
  bool lora_dora = false;                       // train-adapter only
  std::vector<std::string> lora_target;         // train-adapter only
  std::vector<std::string> lora_rank_pattern;   // train-adapter only
  std::vector<std::string> lora_alpha_pattern;  // train-adapter only
  std::int64_t prefix_length = 30;              // train-adapter only
  std::int64_t prefix_bottleneck = 512;         // train-adapter only
  std::string prefix_hidden_act = "tanh";       // train-adapter only
  std::int64_t prefix_gates = 0;                // train-adapter only
  std::vector<std::string> prefix_leave_out;    // train-adapter only
  std::int64_t adapter_size = 64;
  std::string adapter_hidden_act = "gelu";
  double adapter_initializer_range = 0.0002;
  std::string adapter_init_path;
  /// What --tune and --adapter_method say.
  tuning_kind tuned() const;

  // mixing: train-multi-adapter only
  std::string adapter_weights_path;
  std::vector<std::string> adapter_exclude;
  std::int64_t adapter_num_weight_sets = 1;
  std::string adapter_ft_mode = "base";
  std::string adapter_weight_mode = "softmax";
  std::string adapter_fusion = "dynamic";
  double adapter_weights_learning_rate = 0.01;
  bool adapter_use_optimized = true;
  std::optional<bool> adapter_include_base;
  std::optional<bool> adapter_include_flex;

  // machine
  std::int64_t threads = 0;
  std::string precision = "auto";

  /// Flags of nlprunners that mean nothing here.
  struct {
    bool no_cuda = false;
    bool fp16 = false;
    std::string fp16_opt_level;
    std::int64_t local_rank = -1;
    std::string server_ip;
    std::string server_port;
    std::string model_load_mode;
    std::string model_save_mode;
  } without_effect;
};

/// Adds to TABLE every flag of train-adapter, or of train-multi-adapter if MULTI; they write into FLAGS.
void add_training_flags(flag_table& table, training_flags& flags, bool multi);

}  // namespace graft::program
