// graft train-multi-adapter: mixes trained adapters, or what else was tuned, and the untouched base; learns how much weight each gets.

#include <algorithm>
#include <cstdio>

#include "commands/commands.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/exchange/mixed_member.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "host/notes.hpp"
#include "run/train_model.hpp"

namespace graft::program {
namespace {

/// The members of the mix, opened.
/// @throws format_error  one does not fit the trunk, or is nothing that a mix holds
std::vector<mixed_member> read_members(const prepared_run& run) {
  std::vector<mixed_member> all;
  for (const auto& [name, path] : run.adapters) {
    const adapter_file file = open_tuned(path, run.config);
    const bool adapter = file.description.kind == tuning_kind::adapter;
    if (adapter && run.flags.adapter_weight_mode == "fusion" && file.description.layer_norms_trained) {
      throw format_error(path,
                         "was trained with LayerNorms of its own, which a fusion does not hold; an adapter trained with "
                         "--adapter_layer_norm frozen was expected");
    }
    check_trunk(file.description, run.fingerprint, path);
    print_notes(file.notes);
    all.push_back(as_member(name, file, run.trunk));
  }
  return all;
}

ordered_json weights_entry(const tunable_model& model, const std::vector<std::string>& names) {
  ordered_json sites = ordered_json::object();
  index number = 0;
  for (const auto& weights : model.mixing_weights()) {
    char name[32];
    std::snprintf(name, sizeof name, "layer_%02td", number++);
    for (std::size_t k = 0; k < names.size(); ++k) sites[name][names[k]] = weights[k];
  }
  return sites;
}

/// "mixing weights, mean over 12 layers: rte 0.612, mrpc 0.201, base 0.187"
void print_weights(const ordered_json& sites, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    double sum = 0;
    for (const auto& site : sites) sum += site[name].get<double>();
    char number[64];
    std::snprintf(number, sizeof number, " %.3f", sum / static_cast<double>(sites.size()));
    add_to_list(text, printable(name) + number);
  }
  std::printf("mixing weights, mean over %zu layers: %s\n", sites.size() / 2, text.c_str());
}

std::string trained_text(multi_adapter_ft_mode mode, bool flex) {
  if (mode == multi_adapter_ft_mode::full_ft) return "everything";
  if (mode == multi_adapter_ft_mode::base_ft) return "everything but the mixed adapters and their LayerNorms";
  return flex ? "mixing weights, flex adapters with their LayerNorms, and head" : "mixing weights and head";
}

int train_mix(prepared_run& run) {
  const training_flags& f = run.flags;
  const auto mode = parse_ft_mode(f.adapter_ft_mode);
  const auto members = read_members(run);
  multi_adapter_options mix;
  for (const mixed_member& one : members) mix.adapters.push_back(one.is);
  mix.mode = parse_mixing_mode(f.adapter_weight_mode);
  const bool fusion = mix.mode == mixing_mode::fusion;
  mix.fusion.value = f.adapter_fusion == "dynamic";
  mix.include_base = f.adapter_include_base.value_or(!fusion && mode != multi_adapter_ft_mode::flex);
  mix.include_flex = f.adapter_include_flex.value_or(mode == multi_adapter_ft_mode::flex);
  mix.flex_size = f.adapter_size;
  mix.flex_activation = parse_activation(f.adapter_hidden_act);
  mix.optimized = f.adapter_use_optimized;

  model_description description = describe(run, tuning_kind::multi_adapter);
  description.mix = mix;
  description.num_weight_sets = f.adapter_num_weight_sets;
  tuning_start start = start_of(run);
  start.mix_tuning = mode;
  tunable_model model(run.config, description, start);
  for (const mixed_member& one : members) model.load_mixed_adapter(one.is.name, one.tensors, one.norms);
  load_encoder(model, run);
  load_start(model, run);
  const auto names = mix.mixed_names();
  model_hooks hooks;
  if (!fusion)
    hooks.log_step = [&](log_writer& log, const ordered_json& step_position, std::int64_t step, std::int64_t total) {
      const std::int64_t every = std::max<std::int64_t>(1, (total + 999) / 1000);
      if (step % every != 0 && step != total) return;
      log.write("weights", {{"weights", weights_entry(model, names)}, {"tgs", step_position}});
    };
  const int exit_code = train_model(
      model, run, fusion && mode == multi_adapter_ft_mode::base ? "fusion and head" : trained_text(mode, mix.include_flex), hooks);
  if (exit_code == 0 && !fusion) print_weights(weights_entry(model, names), names);
  return exit_code;
}

}  // namespace

int train_multi_adapter(int argc, const char* const* argv) {
  training_flags flags;
  flag_table table(
      "train-multi-adapter", "--ZZsrc FILE --task_config_path FILE --adapter_weights_path FILE [FLAGS]",
      "Mixes several trained adapters (bottlenecks, LoRA, DoRA, IA3, prefixes, fusions) and the encoder as it is, and learns how much "
      "weight each gets.");
  add_training_flags(table, flags, true);
  if (!table.parse(argc, argv)) return 0;
  prepared_run run = prepare("train-multi-adapter", table, flags);
  return train_mix(run);
}

}  // namespace graft::program
