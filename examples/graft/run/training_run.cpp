#include "run/training_run.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <set>

#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/featurize.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/adapter_list.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/description.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/text/tokenizer.hpp"
#include "graft/train/class_weights.hpp"
#include "graft/train/trainer.hpp"
#include "graft/version.hpp"
#include "host/lost_pages.hpp"
#include "host/machine.hpp"
#include "host/notes.hpp"
#include "host/ranks.hpp"
#include "run/precision.hpp"
#include "run/run_files.hpp"

namespace graft::program {
namespace {

namespace fs = std::filesystem;

/// A file that the run reads, under the words for it.
using named_input = std::pair<std::string, std::string>;

/// The adapters of the mix, by name: those that --adapter_exclude leaves, in the order of the list.
/// @throws config_error  an excluded name is unknown
std::vector<named_input> mixed_adapters(const training_flags& flags) {
  if (flags.adapter_weights_path.empty()) return {};
  std::vector<named_input> all = read_adapter_list(flags.adapter_weights_path);
  for (const std::string& name : flags.adapter_exclude) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.first == name; });
    if (found != all.end()) {
      all.erase(found);
    } else if (!name.empty()) {
      throw config_error("--adapter_exclude names \"" + name + "\", which " + flags.adapter_weights_path + " does not");
    }
  }
  return all;
}

/// The flags of RUN that all of several processes must have in common: those that name no files of a machine, and no threads.
rank_facts common_flags(const prepared_run& run) {
  const std::set<std::string> per_rank{
      "threads",    "output_dir",       "model_path",        "model_config_path",    "model_tokenizer_path",
      "ZZsrc",      "task_config_path", "adapter_init_path", "adapter_weights_path", "resume",
      "local_rank", "force_overwrite",  "server_ip",         "server_port"};
  rank_facts facts{{"the arithmetic", run.precision_reason}};
  for (const auto& [name, value] : run.args.items()) {
    if (!per_rank.contains(name)) facts.emplace_back("--" + name, value.dump());
  }
  return facts;
}

/// Locks the output folder, finds out whether this run may write there, and where it begins.
void claim_output(prepared_run& run) {
  training_flags& flags = run.flags;
  require_same_on_ranks(common_flags(run));
  run.folder = std::make_unique<run_folder>(flags.output_dir, ranks());
  std::vector<named_input> inputs{{"the model", flags.model_path},
                                  {"the model's configuration", flags.model_config_path},
                                  {"the vocabulary", flags.model_tokenizer_path},
                                  {"the task's configuration", flags.task_config_path},
                                  {"what --adapter_init_path names", flags.adapter_init_path},
                                  {"the list of adapters", flags.adapter_weights_path}};
  for (const auto& [name, path] : run.adapters) inputs.emplace_back("adapter " + name, path);
  for (const auto& [split, path] : run.tasks.paths) inputs.emplace_back("the rows of " + split, path);
  run.folder->refuse_inputs(inputs);
  run.folder->claim(run.command, run.args, flags.resume, flags.force_overwrite);
  flags.seed = run.args["seed"].get<std::int64_t>();
}

std::string head_digest(const tensor_source& head) {
  fnv1a hash;
  for (const auto& [name, info] : head.tensors()) hash.add(info.bytes);
  return hash.text();
}

/// Digests of all that the numbers of this run come from, but the flags.
run_identity digests_of_inputs(const prepared_run& run) {
  const auto digest = [](const ordered_json& value) {
    fnv1a hash;
    hash.add(value.dump());
    return hash.text();
  };
  run_identity all{{"the model", run.fingerprint}, {"the model's configuration", digest(to_json(run.config))}};
  all["the task's labels"] = digest({run.tasks.task.name, run.tasks.task.labels, static_cast<int>(run.tasks.task.kind)});
  if (!run.head.rows.empty()) all["the model's head"] = head_digest(run.head.tensors);
  // What is not there its reader will miss.
  const std::string& first = run.flags.adapter_init_path;
  if (first.empty() || fs::exists(first)) all["the adapter of --adapter_init_path"] = first.empty() ? "none" : input_digest(first);
  ordered_json names = ordered_json::array();
  for (const auto& [name, path] : run.adapters) {
    names.push_back("adapter " + name);
    if (fs::exists(path)) all["adapter " + name + " of the mix"] = input_digest(path);
  }
  if (!names.empty()) all["the list of adapters"] = digest(names);
  if (run.flags.do_train) all["training rows"] = rows_digest(run.split("train")->rows);
  if (run.flags.do_train && run.flags.eval_every_steps > 0) all["validation rows"] = rows_digest(run.split("val")->rows);
  return all;
}

/// What the run reads of weights, and what it was then: mapped files, whose pages may be read at any time, and those copied from them.
std::map<std::string, file_identity>& watched_files() {
  static std::map<std::string, file_identity> all;
  return all;
}
void watch_files() { watched_files().merge(mapping_registry::files()); }

/// The splits that the flags ask for, checked to be in the task's configuration.
std::vector<std::string> wanted_splits(const training_flags& flags, const task_config& tasks) {
  std::vector<std::string> splits;
  const auto want = [&](const std::string& name, const char* why) {
    if (!tasks.paths.contains(name)) {
      throw config_error(flags.task_config_path + ": \"paths\" has no \"" + name + "\", which " + why + " needs");
    }
    splits.push_back(name);
  };
  const auto also = [&](const std::string& name) {
    if (tasks.paths.contains(name)) splits.push_back(name);
  };
  if (flags.do_train) want("train", "--do_train");
  if (flags.do_val || (flags.do_train && flags.eval_every_steps > 0)) want("val", flags.do_val ? "--do_val" : "--eval_every_steps");
  if (flags.do_val) also("val_mismatched");
  if (flags.do_test) want("test", "--do_test");
  if (flags.do_test) also("test_mismatched");
  return splits;
}

/// The head that this run trains.
head_options run_head(const prepared_run& run) {
  return run.tasks.task.kind == task_kind::token_classification ? token_head(run.config) : usual_head(run.config);
}

void read_data(prepared_run& run) {
  const training_flags& flags = run.flags;
  task& asked = run.tasks.task;
  const bool tags = asked.kind == task_kind::token_classification;
  if (tags && asked.labels.empty()) {
    const auto train = run.tasks.paths.find("train");
    if (train == run.tasks.paths.end()) {
      throw config_error(flags.task_config_path + ": has neither \"labels\" nor \"train\" in \"paths\", whose rows' tags they would be");
    }
    asked = with_tags_of(asked, read_examples(asked, "train", train->second), train->second);
  }
  if (const std::string text = unread_tags_text(asked); !text.empty()) print_notes({flags.task_config_path + ": " + text});
  const int threads = static_cast<int>(flags.threads);
  std::optional<tokenizer> tokens;
  for (const std::string& split : wanted_splits(flags, run.tasks)) {
    const std::string& path = run.tasks.paths.at(split);
    std::vector<std::uint64_t> skipped;
    auto examples = read_examples(run.tasks.task, split, path, &skipped);
    if (!skipped.empty()) std::fprintf(stderr, "graft: %s: %s\n", printable(path, 4000).c_str(), skipped_rows_text(skipped).c_str());
    if (split == "train") {
      std::optional<std::size_t> number;
      if (flags.train_examples_number) number = static_cast<std::size_t>(*flags.train_examples_number);
      examples = training_subset(std::move(examples), number, flags.train_examples_fraction, run.seed());
    }
    const auto finish_split = [&] {
      if (tags) print_notes(word_notes(path, examples, run.data[split].rows, run.max_seq_length));
      if ((flags.do_val && split.starts_with("val")) || (tags && split.starts_with("test"))) run.examples[split] = std::move(examples);
    };
    const bool all_ids = std::all_of(examples.begin(), examples.end(), [](const example& e) { return !e.input_ids.empty(); });
    if (all_ids) {
      run.data[split] = make_data_set(run.tasks.task, examples, path, known_ids_of(run.config), run.max_seq_length, threads);
      finish_split();
      continue;
    }
    if (!tokens) {
      tokens = read_vocabulary(flags.model_tokenizer_path, run.config);
      print_notes(tokens->notes());
    }
    run.data[split] = make_data_set(run.tasks.task, examples, path, *tokens, run.max_seq_length, threads, [&](index done, index all) {
      if (all >= 20'000)
        std::fprintf(stderr, "\rgraft: %s: %td of %td rows encoded%s", printable(path, 4000).c_str(), done, all, done == all ? "\n" : "");
    });
    finish_split();
  }
}

std::string amount(double value) {
  char text[32];
  if (value >= 1e6) {
    std::snprintf(text, sizeof text, "%.1f M", value / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.0f", value);
  }
  return text;
}

/// Flags that mean what is usual for the encoder where nothing is said.
void settle_defaults(prepared_run& run) {
  const bool first = family_of(run.config.model_type).pre_norm;
  if (!run.flags.max_seq_length) run.flags.max_seq_length = std::min<index>(128, run.config.max_sequence_length());
  run.args["max_seq_length"] = run.max_seq_length = *run.flags.max_seq_length;
  if (run.flags.adapter_layer_norm.empty()) run.flags.adapter_layer_norm = first ? "frozen" : "trained";
  if (run.flags.lora_target.empty()) run.flags.lora_target = first ? std::vector<std::string>{"query_key_value"} : lora_options().targets;
  if (run.args.contains("adapter_layer_norm")) run.args["adapter_layer_norm"] = run.flags.adapter_layer_norm;
  if (run.args.contains("lora_target")) run.args["lora_target"] = run.flags.lora_target;
}

std::filesystem::path resolved(const std::string& path) {
  const auto whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  return whole.has_filename() ? whole : whole.parent_path();
}

}  // namespace

prepared_run prepare(const std::string& command, const flag_table& table, const training_flags& given) {
  prepared_run run{command, given, table.values(), {}, {}, tensor_source(given.model_path), {}, {}, "", 0, "", {}, {}, {}, {}};
  training_flags& flags = run.flags;
  if (!flags.do_train && !flags.do_val && !flags.do_test && !flags.do_save && !flags.do_save_full) {
    throw usage_error("nothing to do: give at least one of --do_train, --do_val, --do_test, --do_save");
  }
  if (flags.group_by_length && flags.no_shuffle) {
    throw usage_error("--group_by_length changes the order of the training examples, --no_shuffle keeps it: give one of them");
  }
  if (!flags.prefix_cache.empty() && ranks() != nullptr) {
    throw usage_error("--prefix_cache is for a run of one process, this one has " + std::to_string(ranks()->size()) + ": leave it out");
  }
  if (!flags.prefix_cache.empty() &&  // which is this run's to hold, and would wait for it
      resolved(flags.prefix_cache) == resolved(flags.output_dir)) {
    throw usage_error("--prefix_cache and --output_dir are one folder: name another one for the cache");
  }
  if (flags.do_train && flags.early_stopping_patience > 0 && flags.eval_every_steps == 0) {
    throw usage_error("--early_stopping_patience counts evaluations during training: give --eval_every_steps, too");
  }
  if (flags.early_stopping_threshold != 0 && flags.early_stopping_patience == 0) {
    throw usage_error("--early_stopping_threshold is what --early_stopping_patience counts by: give that, too");
  }
  if (flags.lora_dropout > 0 && flags.tuned() != tuning_kind::lora) {
    throw usage_error("--lora_dropout is of low-rank updates: give --adapter_method lora, too");
  }
  if (flags.lora_dropout > 0 && flags.lora_dora) {
    throw usage_error("--lora_dropout is of plain low-rank updates, of DoRA it is not computed: give one of the two");
  }
  if (flags.adapter_dropout > 0 && flags.tuned() != tuning_kind::adapter) {
    throw usage_error("--adapter_dropout is of bottlenecks (--adapter_method bottleneck)");
  }
  if (flags.lora_dora && flags.tuned() != tuning_kind::lora) {
    throw usage_error("--lora_dora is a form of low-rank updates: give --adapter_method lora, too");
  }
  flags.threads = start_threads(flags.threads);
  const chosen_precision precision = choose_precision(flags.precision);
  flags.precision = precision.name;
  run.precision_reason = precision.reason;
  run.args["threads"] = flags.threads;
  run.args["precision"] = recorded_precision(flags.precision);
  const trunk_files files = find_trunk_files({flags.model_path, flags.model_config_path, flags.model_tokenizer_path});
  run.args["model_config_path"] = flags.model_config_path = files.config_path;
  run.args["model_tokenizer_path"] = flags.model_tokenizer_path = files.tokenizer_path;
  run.tasks = read_task_config(flags.task_config_path);
  run.adapters = mixed_adapters(flags);
  run.config = read_trunk_config(files);
  settle_defaults(run);
  claim_output(run);

  if (!flags.model_type.empty() && encoder_family(flags.model_type) != run.config.model_type) {
    throw config_error("--model_type is " + flags.model_type + ", the model's configuration says " + run.config.model_type);
  }
  if (flags.dropout) {
    run.config.hidden_dropout_prob = run.config.attention_probs_dropout_prob = *flags.dropout;
    run.config.mlp_dropout = *flags.dropout;
    run.config.classifier_dropout.reset();
  }
  if (run.max_seq_length > run.config.max_sequence_length()) {
    throw config_error("--max_seq_length is " + std::to_string(run.max_seq_length) + ", the model takes at most " +
                       std::to_string(run.config.max_sequence_length()));
  }
  run.trunk = open_model(flags.model_path, run.config.model_type);
  run.fingerprint = fingerprint(run.trunk, to_json(run.config), trunk_tensors(run.config, run.trunk));
  print_notes(trunk_notes(run.config, run.trunk));
  read_data(run);
  try {
    run.own_head = read_own_head(run.trunk, files, run.config);
    model_description wanted = graft::describe(tuning_kind::head, run.tasks.task);
    wanted.head = run_head(run);
    run.head = fit_head(*run.own_head, wanted, run.config);
  } catch (const format_error&) {  // it has none for whole texts: this task's is fresh
  }
  watch_files();
  run.reads = digests_of_inputs(run);
  rank_facts read{run.reads.begin(), run.reads.end()};
  for (const auto& [split, set] : run.data) read.emplace_back("the content of " + split, rows_digest(set.rows));
  require_same_on_ranks(read);
  return run;
}

model_description describe(const prepared_run& run, tuning_kind kind) {
  model_description d = graft::describe(kind, run.tasks.task);
  d.head = run_head(run);
  d.max_seq_length = run.max_seq_length;
  d.trunk_fingerprint = run.fingerprint;
  return d;
}

tuning_start start_of(const prepared_run& run) {
  tuning_start start;
  start.seed = run.seed();
  start.initializer_range = run.flags.adapter_initializer_range;
  start.precision = parse_precision(run.flags.precision);
  return start;
}

training_options trainer_options(const prepared_run& run) {
  const training_flags& f = run.flags;
  training_options o;
  o.train_batch_size = f.train_batch_size;
  o.eval_batch_size = f.eval_batch_size;
  o.num_train_epochs = f.num_train_epochs;
  o.max_steps = f.max_steps;
  o.gradient_accumulation_steps = f.gradient_accumulation_steps;
  o.micro_batch_tokens = f.micro_batch_tokens;
  o.learning_rate = f.learning_rate;
  o.mixing_learning_rate = f.adapter_weights_learning_rate;
  o.warmup_proportion = f.warmup_proportion;
  o.warmup_steps = f.warmup_steps;
  o.lr_scheduler_type = parse_schedule_type(f.lr_scheduler_type);
  o.max_grad_norm = f.max_grad_norm;
  o.optimizer.type = parse_optimizer_type(f.optimizer_type);
  o.optimizer.epsilon = f.adam_epsilon;
  o.loss.label_smoothing = f.label_smoothing;
  if (f.do_train && !f.class_weights.empty()) {
    o.loss.class_weights = f.class_weights == "balanced" ? balanced_class_weights(run.tasks.task, run.split("train")->rows)
                                                         : parse_class_weights(f.class_weights, run.tasks.task);
  }
  o.seed = run.seed();
  o.shuffle = !f.no_shuffle;
  o.group_by_length = f.group_by_length;
  o.eval_every_steps = f.eval_every_steps;
  o.partial_eval_number = f.partial_eval_number;
  o.early_stopping_patience = f.early_stopping_patience;
  o.early_stopping_threshold = f.early_stopping_threshold;
  o.save_every_steps = f.save_every_steps;
  o.checkpoint_path = run.checkpoint();
  o.identity = run.folder->asked();
  o.identity.insert(run.reads.begin(), run.reads.end());
  o.threads = static_cast<int>(f.threads);
  o.group = ranks();
  return o;
}

void print_banner(const prepared_run& run, const std::string& trained, std::int64_t all, std::int64_t trained_count, std::int64_t steps,
                  std::int64_t bytes) {
  const training_flags& f = run.flags;
  std::string rows;
  for (const auto& [name, set] : run.data) add_to_list(rows, std::to_string(set.rows.size()) + " " + name);
  const double share = all > 0 ? 100.0 * static_cast<double>(trained_count) / static_cast<double>(all) : 0;
  std::printf("graft %d.%d.%d %s\n", GRAFT_VERSION_MAJOR, GRAFT_VERSION_MINOR, GRAFT_VERSION_PATCH, run.command.c_str());
  std::printf("  task     %s: %s examples\n", printable(run.tasks.task.name).c_str(), rows.c_str());
  std::printf("  model    %s, %td layers of %td, %s parameters, fingerprint %s\n", run.config.model_type.c_str(),
              run.config.num_hidden_layers, run.config.hidden_size, amount(static_cast<double>(all)).c_str(), run.fingerprint.c_str());
  if (f.do_train) {
    std::printf("  trained  %s: %s parameters, %.2f %% of all\n", trained.c_str(), amount(static_cast<double>(trained_count)).c_str(),
                share);
    std::printf("  steps    %lld of %lld example%s", static_cast<long long>(steps),
                static_cast<long long>(f.train_batch_size * f.gradient_accumulation_steps),
                f.train_batch_size * f.gradient_accumulation_steps == 1 ? "" : "s");
    if (f.eval_every_steps > 0) std::printf(", evaluated every %lld", static_cast<long long>(f.eval_every_steps));
    if (f.save_every_steps > 0) std::printf(", checkpoint every %lld", static_cast<long long>(f.save_every_steps));
    std::printf("\n");
  }
  const std::string on_ranks = ranks() == nullptr ? "" : " on each of " + std::to_string(ranks()->size()) + " ranks";
  std::printf("  machine  %lld thread%s%s, %s, about %.2f GB of memory\n", static_cast<long long>(f.threads), f.threads == 1 ? "" : "s",
              on_ranks.c_str(), run.precision_reason.c_str(), static_cast<double>(bytes) / 1e9);
  if (const double limit = memory_limit(); static_cast<double>(bytes) > limit) {
    std::fprintf(stderr, "graft: about %.2f GB of memory are needed, this process may have %.2f GB: it may be ended for that; %s\n",
                 static_cast<double>(bytes) / 1e9, limit / 1e9, less_memory);
  }
  std::printf("  output   %s, seed %lld\n", printable(f.output_dir, 4000).c_str(), static_cast<long long>(f.seed));
  std::fflush(stdout);
}

void begin_output(const prepared_run& run) {
  watch_files();
  run.folder->begin(run.args, run.reads);
}

void check_files() {
  if (const char* path = mapping_registry::lost()) throw lost_file(path);
  for (const auto& [path, before] : watched_files()) {
    if (!has_changed(path, before)) continue;
    throw format_error(path,
                       "has been changed, replaced or removed since the run began to use it: nothing computed since is kept; put it back "
                       "as it was, and the run goes on from its last checkpoint, if it has one, with --resume");
  }
}

bool fill_prefix_cache(tunable_model& model, const prepared_run& run, const std::atomic<bool>* stop) {
  if (run.flags.prefix_cache.empty()) return true;
  const std::string folder = printable(run.flags.prefix_cache, 4000);
  std::vector<features> rows;  // of all splits at once, so that there is room for all of them or none is begun
  for (const auto& [split, set] : run.data) rows.insert(rows.end(), set.rows.begin(), set.rows.end());
  using clock = std::chrono::steady_clock;
  auto told = clock::now();
  prefix_progress progress;
  progress.rows = [&](std::int64_t done, std::int64_t all) {
    const bool at_end = done == 0 || done == all;
    if (all == 0 || (!at_end && clock::now() - told < std::chrono::seconds(10))) return;
    told = clock::now();
    std::printf("prefix cache: %lld of %lld new rows computed\n", static_cast<long long>(done), static_cast<long long>(all));
    std::fflush(stdout);
  };
  progress.waits = [&] { std::fprintf(stderr, "graft: %s: another run is filling this prefix cache: waits for it\n", folder.c_str()); };
  if (!model.fill_prefix_cache(rows, static_cast<int>(run.flags.threads), progress, stop)) {
    std::fprintf(stderr, "graft: stopped while the prefix cache was filled; what is written stays: the same command goes on from there\n");
    return false;
  }
  watch_files();
  return true;
}

void check_files(const prepared_run& run) {
  run.folder->require_here();
  check_files();
}

std::string metrics_text(const task_metrics& m) {
  std::string text;
  for (const auto& [name, value] : m.minor) {
    char number[64];
    std::snprintf(number, sizeof number, "%s%s %.4f", text.empty() ? "" : "  ", name.c_str(), value);
    text += number;
  }
  return text;
}

ordered_json position(std::int64_t epoch, std::int64_t epoch_step, std::int64_t global_step) {
  return {{"epoch", epoch}, {"epoch_step", epoch_step}, {"global_step", global_step}};
}

}  // namespace graft::program
