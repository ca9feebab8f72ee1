// graft train-adapter: trains, evaluates, predicts and saves one adapter (or low-rank update), or the baselines without: everything, or the
// head alone.

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "commands/commands.hpp"
#include "graft/adapters/general_options.hpp"
#include "graft/exchange/adapter_file.hpp"
#include "run/train_model.hpp"

namespace graft::program {
namespace {

/// The numbers of layers in TEXTS of the flag FLAG, each a number or FIRST-LAST, in rising order, each once.
std::vector<index> layers_of(const std::vector<std::string>& texts, const char* flag, index layers) {
  std::set<index> all;
  for (const std::string& text : texts) {
    index first = -1, last = -1;
    const char* const end = text.data() + text.size();
    auto [stop, failed] = std::from_chars(text.data(), end, first);
    last = first;
    if (failed == std::errc() && stop != end && *stop == '-') {
      const auto second = std::from_chars(stop + 1, end, last);
      stop = second.ptr;
      failed = second.ec;
    }
    if (failed != std::errc() || stop != end || first < 0 || last < first || last >= layers) {
      throw usage_error(std::string("--") + flag + " names layer \"" + text + "\", numbers from 0 to " + std::to_string(layers - 1) +
                        " were expected, or FIRST-LAST");
    }
    for (index layer = first; layer <= last; ++layer) all.insert(layer);
  }
  return {all.begin(), all.end()};
}

/// Those of LAYERS layers that are not in THESE.
std::vector<index> other_layers(const std::vector<index>& these, index layers) {
  std::vector<index> others;
  for (index layer = 0; layer < layers; ++layer) {
    if (std::find(these.begin(), these.end(), layer) == these.end()) others.push_back(layer);
  }
  return others;
}

/// LEAVE_OUT for bottlenecks, whatever their kind.
void leave_layers_out(adapter_options& o, const std::vector<index>& leave_out, index layers) {
  if (!is_general(o)) {
    o.leave_out = leave_out;
    return;
  }
  general_adapter_options settings = parse_general_settings(o.settings);
  if (settings.sizes.empty()) settings.sizes.assign(static_cast<std::size_t>(layers), o.size);
  for (const index layer : leave_out) {
    if (layer < std::ssize(settings.sizes)) settings.sizes[static_cast<std::size_t>(layer)] = 0;  // another number of them is refused later
  }
  o.settings = general_settings(settings);
}

/// The targets of O as whole names, without those in layers of LEAVE_OUT.
void leave_layers_out(lora_options& o, const std::vector<index>& leave_out, const prepared_run& run) {
  const auto is_left_out = [&](const std::string& name) {
    return std::any_of(leave_out.begin(), leave_out.end(),
                       [&](index layer) { return name.find(".layer." + std::to_string(layer) + ".") != name.npos; });
  };
  std::vector<std::string> targets;
  for (const std::string& target : o.targets) {
    const std::size_t before = targets.size();
    bool known = false;
    for (const auto& [name, shape] : dense_layers(run.config, run.tasks.task.num_labels())) {
      if (!is_target(name, target)) continue;
      known = true;
      if (!is_left_out(name) && std::find(targets.begin(), targets.end(), name) == targets.end()) targets.push_back(name);
    }
    if (!known) targets.push_back(target);  // which is refused
    if (known && targets.size() == before) {
      throw usage_error("--lora_target names \"" + target + "\", which is in none of the layers of --adapter_layers");
    }
  }
  o.targets = targets;
}

/// Numbers of the layers that O updates, from TEXTS of the flag FLAG, TARGET=NUMBER each; the last one that names a layer counts.
template <class Number>
std::map<std::string, Number> pattern_of(const std::vector<std::string>& texts, const char* flag, const lora_options& o, Number usual,
                                         const prepared_run& run) {
  std::map<std::string, Number> by_layer;
  const auto layers = dense_layers(run.config, run.tasks.task.num_labels());
  for (const std::string& text : texts) {
    const std::size_t equals = text.rfind('=');
    const std::string target = text.substr(0, equals);
    Number value{};
    const char* const begin = text.data() + (equals == text.npos ? text.size() : equals + 1);
    const auto [stop, failed] = std::from_chars(begin, text.data() + text.size(), value);
    bool found = false;
    for (const auto& [layer, shape] : layers) {
      if (!o.updates(layer) || !is_target(layer, target)) continue;
      found = true;
      by_layer[layer] = value;
    }
    if (failed == std::errc() && stop == text.data() + text.size() && found) continue;
    throw usage_error(std::string("--") + flag + " has \"" + text +
                      "\", TARGET=NUMBER was expected, TARGET a layer that --lora_target updates");
  }
  std::erase_if(by_layer, [&](const auto& one) { return one.second == usual; });
  return by_layer;
}

int train_one(prepared_run& run) {
  const training_flags& f = run.flags;
  const tuning_kind kind = f.tuned();
  if (kind != tuning_kind::adapter && !f.adapter_settings.empty()) {
    throw usage_error("--adapter_settings is for bottlenecks (--adapter_method bottleneck), this run trains " + tuning_kind_name(kind));
  }
  const index layers = run.config.num_hidden_layers;
  const std::vector<index> leave_out =
      f.adapter_layers.empty() ? std::vector<index>() : other_layers(layers_of(f.adapter_layers, "adapter_layers", layers), layers);
  if (!f.adapter_layers.empty() && (kind == tuning_kind::full || kind == tuning_kind::head)) {
    throw usage_error("--adapter_layers is for adapters, updates and prefixes, this run trains " + tuning_kind_name(kind));
  }
  if (!f.adapter_layers.empty() && !f.prefix_leave_out.empty()) {
    throw usage_error("--adapter_layers says which layers get a prefix, --prefix_leave_out which do not: give one of them");
  }
  model_description tuned = describe(run, kind);
  std::string trained = kind == tuning_kind::full ? "everything, without adapters" : "the head alone";
  if (kind == tuning_kind::lora) {
    tuned.lora = {f.lora_r, f.lora_alpha, f.lora_target};
    tuned.lora.dora = f.lora_dora;
    tuned.lora.dropout = f.lora_dropout;
    if (!leave_out.empty()) leave_layers_out(tuned.lora, leave_out, run);
    tuned.lora.ranks = pattern_of<index>(f.lora_rank_pattern, "lora_rank_pattern", tuned.lora, f.lora_r, run);
    tuned.lora.alphas = pattern_of<double>(f.lora_alpha_pattern, "lora_alpha_pattern", tuned.lora, f.lora_alpha, run);
    trained = (f.lora_dora ? "DoRA" : "low-rank updates") + std::string(" of rank ") + std::to_string(f.lora_r) + ", and head";
  } else if (kind == tuning_kind::prefix) {
    tuned.prefix = {f.prefix_length, f.prefix_bottleneck, parse_activation(f.prefix_hidden_act, "prefix_hidden_act"), f.prefix_gates,
                    leave_out.empty() ? layers_of(f.prefix_leave_out, "prefix_leave_out", layers) : leave_out};
    trained = "prefixes of length " + std::to_string(f.prefix_length) + ", and head";
  } else if (kind == tuning_kind::adapter) {
    tuned.adapter = {f.adapter_size, parse_activation(f.adapter_hidden_act), f.adapter_placement, f.adapter_scaling,
                     general_settings(parse_general_settings(f.adapter_settings))};
    tuned.adapter.dropout = f.adapter_dropout;
    if (!leave_out.empty()) leave_layers_out(tuned.adapter, leave_out, layers);
    tuned.layer_norms_trained = f.adapter_layer_norm == "trained";
    trained = f.adapter_placement + " adapters of size " + std::to_string(f.adapter_size) +
              (tuned.layer_norms_trained ? ", LayerNorms" : "") + " and head";
  }
  tunable_model model(run.config, tuned, start_of(run));
  load_encoder(model, run);
  load_start(model, run);
  return train_model(model, run, trained);
}

}  // namespace

int train_adapter(int argc, const char* const* argv) {
  training_flags flags;
  flag_table table(
      "train-adapter", "--ZZsrc FILE --task_config_path FILE --output_dir FOLDER [FLAGS]",
      "Trains one adapter on a task: small bottleneck modules in every layer of a frozen encoder, with the LayerNorms and a head.");
  add_training_flags(table, flags, false);
  if (!table.parse(argc, argv)) return 0;
  prepared_run run = prepare("train-adapter", table, flags);
  return train_one(run);
}

}  // namespace graft::program
