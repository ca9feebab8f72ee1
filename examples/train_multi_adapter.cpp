// graft train-multi-adapter: mixes trained adapters and the untouched base, and learns how much weight each gets.

#include <algorithm>
#include <cstdio>

#include "commands.hpp"
#include "graft/model/initialization.hpp"
#include "train_model.hpp"

namespace graft::program {
namespace {

/// An adapter to mix: its place in the mix, and the file it comes from.
struct adapter_file {
  mixed_adapter adapter;
  safetensors_file tensors;
};

/// The adapters that --adapter_weights_path names and --adapter_exclude leaves, in that order.
/// @throws format_error  an adapter does not fit the trunk or is no adapter      @throws config_error  an excluded name is unknown
std::vector<adapter_file> read_adapters(const prepared_run& run) {
  const std::string& path = run.flags.adapter_weights_path;
  const auto listed = read_json<ordered_json>(path);
  if (!listed.is_object()) throw format_error(path, "holds no JSON object; {\"NAME\": \"FILE\", ...} was expected");
  std::vector<std::string> excluded = run.flags.adapter_exclude;
  std::erase(excluded, "");
  for (const std::string& name : excluded) {
    if (!listed.contains(name)) throw config_error("--adapter_exclude names \"" + name + "\", which " + path + " does not");
  }
  std::vector<adapter_file> all;
  for (const auto& [name, value] : listed.items()) {
    if (std::find(excluded.begin(), excluded.end(), name) != excluded.end()) continue;
    if (!value.is_string()) throw format_error(path, "\"" + name + "\" is " + value.dump() + ", the path of a file was expected");
    if (name.empty() || name == "base" || name == "flex" || name.find_first_of("./") != std::string::npos) {
      throw format_error(path, "\"" + name + "\" cannot be an adapter's name: base and flex are taken, . and / separate names");
    }
    std::string file = resolve_path(value.get<std::string>(), path);
    if (std::filesystem::is_directory(file)) file += "/model.safetensors";
    safetensors_file tensors(file);
    mixed_adapter adapter{name};
    if (has_description(tensors.metadata())) {
      const model_description d = parse_description(tensors.metadata(), file);
      if (d.kind != "adapter") throw format_error(file, "holds a tuned model of kind \"" + d.kind + "\", a single adapter was expected");
      check_trunk(d, run.fingerprint, file);
      adapter.act = d.adapter_hidden_act;
    }
    const std::string first = run.config.model_type + ".encoder.layer.0.attention.output.adapter.down_project.weight";
    adapter.size = tensors.at(first).shape.empty() ? 0 : tensors.at(first).shape[0];
    all.push_back({adapter, std::move(tensors)});
  }
  return all;
}

template <class P>
ordered_json weights_entry(const multi_adapter_classifier<P>& model, const std::vector<std::string>& names) {
  ordered_json sites = ordered_json::object();
  index number = 0;
  for (const auto& l : model.trunk.layers) {
    for (const auto* s : {&l.attention_site, &l.feed_site}) {
      matrix<typename P::real> w(1, s->mix->count());
      s->mix->forward(w);
      char name[32];
      std::snprintf(name, sizeof name, "layer_%02td", number++);
      for (std::size_t k = 0; k < names.size(); ++k) sites[name][names[k]] = w(0, static_cast<index>(k));
    }
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
    text += (text.empty() ? "" : ", ") + name + number;
  }
  std::printf("mixing weights, mean over %zu layers: %s\n", sites.size() / 2, text.c_str());
}

std::string trained_text(multi_adapter_ft_mode mode, bool flex) {
  if (mode == multi_adapter_ft_mode::full_ft) return "everything";
  if (mode == multi_adapter_ft_mode::base_ft) return "everything but the mixed adapters and their LayerNorms";
  return flex ? "mixing weights, flex adapters with their LayerNorms, and head" : "mixing weights and head";
}

template <class P>
int train(prepared_run& run) {
  const training_flags& f = run.flags;
  const auto mode = parse_ft_mode(f.adapter_ft_mode);
  const auto files = read_adapters(run);
  multi_adapter_options mix;
  for (const adapter_file& file : files) mix.adapters.push_back(file.adapter);
  mix.include_base = f.adapter_include_base.value_or(mode != multi_adapter_ft_mode::flex);
  mix.include_flex = f.adapter_include_flex.value_or(mode == multi_adapter_ft_mode::flex);
  mix.flex_size = f.adapter_size;
  mix.flex_activation = parse_activation(f.adapter_hidden_act);
  mix.mode = parse_mixing_mode(f.adapter_weight_mode);
  mix.optimized = f.adapter_use_optimized;

  auto model = make_multi_adapter_classifier<P>(run.config, run.tasks.task.num_labels(), mix, f.adapter_num_weight_sets);
  load_trunk(model, run.trunk);
  run.trunk = tensor_source(f.model_path);  // lets go of the mapped file
  for (const adapter_file& file : files) load_mixed_adapter(model, file.adapter.name, file.tensors);
  initialize(model.head, run.seed());
  initialize_adapters(model, f.adapter_initializer_range, run.seed());
  if (!f.adapter_init_path.empty()) load_by_name(model, safetensors_file(f.adapter_init_path));
  tune_mix(model, mode);

  model_description description = describe(run, "multi_adapter");
  description.mix = mix;
  description.num_weight_sets = f.adapter_num_weight_sets;
  const auto names = mix.mixed_names();
  model_hooks hooks;
  hooks.log_step = [&](log_writer& log, const ordered_json& place, std::int64_t step, std::int64_t total) {
    const std::int64_t every = std::max<std::int64_t>(1, (total + 999) / 1000);
    if (step % every != 0 && step != total) return;
    log.write("weights", {{"weights", weights_entry(model, names)}, {"tgs", place}});
  };
  const int exit_code = train_model(model, run, description, trained_text(mode, mix.include_flex), hooks);
  if (exit_code == 0) print_weights(weights_entry(model, names), names);
  return exit_code;
}

}  // namespace

int train_multi_adapter(int argc, const char* const* argv) {
  training_flags flags;
  flag_table table("train-multi-adapter", "--ZZsrc FILE --task_config_path FILE --adapter_weights_path FILE [FLAGS]",
                   "Mixes several trained adapters and the encoder without adapter at every site, and learns how much weight each gets.");
  add_training_flags(table, flags, true);
  if (!table.parse(argc, argv)) return 0;
  prepared_run run = prepare("train-multi-adapter", table, flags);
  return run.flags.precision == "f64" ? train<f64>(run) : train<f32>(run);
}

}  // namespace graft::program
