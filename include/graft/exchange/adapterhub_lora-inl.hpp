#pragma once
// Bodies of graft/exchange/adapterhub_lora.hpp.

#include <algorithm>
#include <memory>
#include <set>
#include <span>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/range.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/exchange/adapterhub_lora.hpp"
#include "graft/exchange/config_fields.hpp"

namespace graft::detail {

/// The projections of a layer as the library's configurations choose them: a letter of `attn_matrices`, or a field.
struct adapterhub_projection {
  const char* layer;
  const char* choice;
};
inline constexpr adapterhub_projection adapterhub_projections[] = {{"attention.self.query", "q"},
                                                                   {"attention.self.key", "k"},
                                                                   {"attention.self.value", "v"},
                                                                   {"intermediate.dense", "intermediate_lora"},
                                                                   {"output.dense", "output_lora"}};

GRAFT_INLINE bool is_adapterhub_lora(const json& about) {
  const json config = about.value("config", json());
  return config == "lora" || config == "ia3" || (config.is_object() && config.value("architecture", json()) == "lora");
}

GRAFT_INLINE model_description describe_adapterhub_lora(const json& about, const encoder_config& config, const std::string& path) {
  json given{{"selfattn_lora", true},
             {"intermediate_lora", false},
             {"output_lora", false},
             {"leave_out", json::array()},
             {"r", 8},
             {"alpha", 8},
             {"attn_matrices", {"q", "v"}},
             {"composition_mode", "add"}};
  if (about["config"] == "ia3") {
    given.update({{"intermediate_lora", true}, {"r", 1}, {"alpha", 1}, {"attn_matrices", {"k", "v"}}, {"composition_mode", "scale"}});
  }
  if (about["config"].is_object()) given.update(about["config"]);
  const auto refuse = [&](const std::string& what) { return format_error(path, what + ", which graft does not compute"); };
  for (const char* vera : {"vera_d", "vera_b"}) {
    if (!is_off(given.value(vera, json()))) throw refuse("is VeRA (\"" + std::string(vera) + "\" is " + shown(given[vera]) + ")");
  }
  const bool gates = optional<bool>(given, "use_gating", path, false);
  check_fields(given, {},
               {"architecture", "selfattn_lora", "intermediate_lora", "output_lora", "leave_out", "r", "alpha", "dropout", "attn_matrices",
                "composition_mode", "init_weights", "init_weights_seed", "dtype", "use_gating", "use_dora"},
               path);
  const auto mode = required<std::string>(given, "composition_mode", path);
  if (mode != "add" && mode != "scale") throw refuse("\"composition_mode\" is \"" + mode + "\"");

  std::set<std::string> chosen;
  if (required<bool>(given, "selfattn_lora", path)) {
    for (const std::string& letter : required<std::vector<std::string>>(given, "attn_matrices", path)) chosen.insert(letter);
  }
  for (const char* field : {"intermediate_lora", "output_lora"}) {
    if (required<bool>(given, field, path)) chosen.insert(field);
  }
  if (family_of(config.model_type).positions == position_kind::rotary &&
      (chosen.contains("q") || chosen.contains("k") || chosen.contains("v"))) {
    throw refuse("updates queries, keys or values apart (\"attn_matrices\"), of a matrix that makes all three in a " + config.model_type);
  }
  const auto left_out = required<std::vector<index>>(given, "leave_out", path);
  std::vector<std::string> targets;
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    if (std::find(left_out.begin(), left_out.end(), n) != left_out.end()) continue;
    for (const auto& [layer, choice] : adapterhub_projections) {
      if (chosen.contains(choice)) targets.push_back(config.model_type + ".encoder.layer." + std::to_string(n) + "." + layer);
    }
  }
  if (targets.empty()) throw format_error(path, "chooses no projection that it would change");

  model_description d;
  d.task_name = required<std::string>(about, "name", path);
  d.layer_norms_trained = false;
  const auto alpha = required<double>(given, "alpha", path);
  if (!ranges::lora_alpha.contains(alpha)) {
    throw format_error(path, "\"alpha\" is " + number_text(alpha) + ", " + ranges::lora_alpha.text() + " was expected");
  }
  if (mode == "scale") {
    integer_field(given, "r", path, 1, 1);
    d.kind = tuning_kind::ia3;
    d.ia3.targets = targets;
    d.ia3.gates = gates;
  } else {
    d.kind = tuning_kind::lora;
    d.lora = {integer_field(given, "r", path, 1, 65'536), alpha, targets};
    d.lora.dora = d.lora.dora_outputs = optional<bool>(given, "use_dora", path, false);
    d.lora.gates = gates;
    d.lora.dropout = fraction_field(given, "dropout", path, 0);
    if (gates && d.lora.dora) throw refuse("is DoRA with gates on it (\"use_gating\" is true)");
    if (gates) d.lora.alpha = static_cast<double>(d.lora.r);  // gates stand in the place of the scale
    // By the ends of their names, as graft and PEFT choose them, where those mean the same: "output.dense" is the attention's, too.
    if (left_out.empty() && !chosen.contains("output_lora")) {
      d.lora.targets.clear();
      for (const auto& [layer, choice] : adapterhub_projections) {
        if (chosen.contains(choice)) d.lora.targets.emplace_back(layer);
      }
    }
  }
  return d;
}

GRAFT_INLINE std::string adapterhub_lora_name(const std::string& name, const std::string& adapter) {
  const std::string start = ".loras." + adapter;
  for (const auto& [ours, theirs] : {std::pair{tensor_names::lora_a, ".lora_A"},
                                     {tensor_names::lora_b, ".lora_B"},
                                     {tensor_names::lora_magnitude, ".m.weight"},
                                     {".lora_gate.weight", ".gate.weight"},
                                     {".lora_gate.bias", ".gate.bias"},
                                     {tensor_names::ia3, ".lora_B"}}) {
    if (name.ends_with(ours)) return replace_first(name, ours, start + theirs);
  }
  return name;
}

GRAFT_INLINE tensor_source lora_from_adapterhub(const tensor_source& stored, const std::string& adapter, const encoder_config& config,
                                                const model_description& d, const json& about) {
  tensor_shapes shapes = d.kind == tuning_kind::ia3 ? ia3_tensors(config, d, 0) : lora_tensors(config, d, 0);
  for (auto& [name, shape] : shapes) {
    if (name.ends_with(tensor_names::lora_magnitude)) shape.push_back(1);  // the weight of a layer with one input there
  }
  const tensor_source taken = take_tensors(stored, shapes, [&](const std::string& name) { return adapterhub_lora_name(name, adapter); });
  const double alpha = about["config"].is_object() ? about["config"].value("alpha", 8.0) : 1;
  tensor_source scaled(taken.path());
  if (d.kind != tuning_kind::ia3 || d.ia3.gates || alpha == 1) {  // gates stand in alpha's place
    const auto is_length = [](const std::string& name) { return name.ends_with(tensor_names::lora_magnitude); };
    scaled.add_all(taken, [&](const std::string& name) { return is_length(name) ? std::nullopt : std::optional(name); });
    for (const auto& [name, info] : taken.tensors()) {
      if (is_length(name)) scaled.add(name, {info.type, {info.shape[0]}, info.bytes});
    }
    return scaled;
  }
  // the library multiplies by alpha, graft has the product
  for (const auto& [name, info] : taken.tensors()) {
    const auto numbers = std::make_shared<std::vector<float>>(taken.values<float>(name));
    for (float& number : *numbers) number *= static_cast<float>(alpha);
    scaled.keep_alive(numbers);
    scaled.add(name, {dtype::f32, info.shape, std::as_bytes(std::span(*numbers))});
  }
  return scaled;
}

GRAFT_INLINE ordered_json lora_configuration(const adapter_file& a, const encoder_config& config) {
  const model_description& d = a.description;
  const auto refuse = [&](const std::string& what) {
    return config_error(a.tensors.path() + ": " + what + ", which AdapterHub's format has no place for", {"to", "peft"});
  };
  const bool scales = d.kind == tuning_kind::ia3;
  if (!scales && d.lora.dora && !d.lora.dora_outputs) throw refuse("is DoRA in PEFT's form");
  if (!scales && d.lora.bias) throw refuse("has biases of its updates");
  if (!scales && (!d.lora.ranks.empty() || !d.lora.alphas.empty())) throw refuse("has ranks or scales of each projection's own");
  if (scales && !d.ia3.feed_forward.empty()) throw refuse("scales inputs");
  const auto changes = [&](const std::string& layer) { return scales ? is_any_target(layer, d.ia3.targets) : d.lora.updates(layer); };

  std::optional<std::set<std::string>> chosen;
  ordered_json leave_out = ordered_json::array();
  std::size_t known = 0;
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    std::set<std::string> here;
    for (const auto& [layer, choice] : adapterhub_projections) {
      if (changes(config.model_type + ".encoder.layer." + std::to_string(n) + "." + layer)) here.insert(choice);
    }
    known += here.size();
    if (here.empty()) {
      leave_out.push_back(n);
    } else if (!chosen) {
      chosen = here;
    } else if (*chosen != here) {
      throw refuse("changes other projections in one layer than in another");
    }
  }
  const auto all = dense_layers(config, d.num_labels());
  const auto changed = std::count_if(all.begin(), all.end(), [&](const auto& layer) { return changes(layer.first); });
  if (!chosen || static_cast<std::size_t>(changed) != known) {
    throw refuse("changes projections that are not query, key, value, intermediate.dense or output.dense");
  }
  ordered_json matrices = ordered_json::array();
  for (const char* letter : {"q", "k", "v"}) {
    if (chosen->contains(letter)) matrices.push_back(letter);
  }
  return {{"architecture", "lora"},
          {"selfattn_lora", !matrices.empty()},
          {"intermediate_lora", chosen->contains("intermediate_lora")},
          {"output_lora", chosen->contains("output_lora")},
          {"leave_out", leave_out},
          {"r", scales ? 1 : d.lora.r},
          {"alpha", scales ? json(1) : json(d.lora.alpha)},
          {"dropout", scales ? 0.0 : d.lora.dropout},
          {"attn_matrices", matrices},
          {"composition_mode", scales ? "scale" : "add"},
          {"init_weights", scales ? "ia3" : "lora"},
          {"use_gating", scales ? d.ia3.gates : d.lora.gates},
          {"use_dora", !scales && d.lora.dora},
          {"dtype", nullptr}};
}

}  // namespace graft::detail
