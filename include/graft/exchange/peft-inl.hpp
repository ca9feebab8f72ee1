#pragma once
// Bodies of graft/exchange/peft.hpp.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/range.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/config_fields.hpp"
#include "graft/exchange/peft.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/safetensors.hpp"

namespace graft::detail {

/// Targets that name exactly those layers of the encoder which STORED has updates of: short names where every layer has one. Of NAMED,
/// the target_modules as a list, each may be the end of a layer's name or all of it; layers that none of them names are not counted.
GRAFT_INLINE std::vector<std::string> targets_of(const tensor_source& stored, const encoder_config& config,
                                                 const std::vector<std::string>& named = {}) {
  std::set<std::string> targets;
  const tensor_shapes layers = dense_layers(config);
  const auto updated = [&](const std::string& layer) {
    const auto names_it = [&](const std::string& name) { return is_target(layer, name) || name.ends_with(layer); };
    return (stored.contains(layer + ".lora_A.weight") || stored.contains(layer + ".lora_B.weight")) &&
           (named.empty() || std::any_of(named.begin(), named.end(), names_it));
  };
  for (const auto& [layer, shape] : layers) {
    if (!updated(layer)) continue;
    const std::string numbered = layer.substr(layer.find(".layer.") + 1);  // layer.0.attention.self.query
    const std::string part = numbered.substr(numbered.find('.', 6) + 1);   // attention.self.query
    const bool all =
        std::all_of(layers.begin(), layers.end(), [&](const auto& other) { return !is_target(other.first, part) || updated(other.first); });
    targets.insert(all ? part : numbered);
  }
  return {targets.begin(), targets.end()};
}

/// NAME without the parts that tensors have in memory only; nothing for the untrained copy of a module that was trained. The name of the
/// adapter, which stands in some, goes into ADAPTERS.
///   ...query.lora_A.NAME.weight -> ...query.lora_A.weight          ...query.base_layer.weight -> ...query.weight
///   classifier.modules_to_save.NAME.dense.weight -> classifier.dense.weight          classifier.original_module.* -> nothing
GRAFT_INLINE std::optional<std::string> peft_name(std::string name, std::set<std::string>& adapters) {
  for (const std::string_view wrapper : {"_orig_mod.", "_fsdp_wrapped_module.", "base_layer."}) {
    for (auto at = name.find(wrapper); at != name.npos; at = name.find(wrapper)) {
      if (at != 0 && name[at - 1] != '.') break;
      name.erase(at, wrapper.size());
    }
  }
  if (name.find(".original_module.") != name.npos) return std::nullopt;
  const auto take_adapter = [&](std::size_t at) {  // the part of the name that begins there
    const auto end = name.find('.', at);
    if (end == name.npos) return;
    adapters.insert(name.substr(at, end - at));
    name.erase(at, end + 1 - at);
  };
  constexpr std::string_view saved = ".modules_to_save.";
  if (const auto at = name.find(saved); at != name.npos) {
    take_adapter(at + saved.size());
    name.erase(at + 1, saved.size() - 1);
  }
  for (const std::string_view matrix : {".lora_A.", ".lora_B."}) {
    const auto at = name.find(matrix);
    if (at != name.npos && name.substr(at + matrix.size()) != "weight") take_adapter(at + matrix.size());
  }
  return name;
}

/// @throws format_error  GIVEN, an adapter_config.json of PEFT's, is for a head that does not answer for a whole text
GRAFT_INLINE void check_peft_task(const json& given, const std::string& path) {
  const std::string expected = ", a head for whole texts was expected (SEQ_CLS, ...ForSequenceClassification)";
  if (const auto task = optional<std::string>(given, "task_type", path, "");
      task != "" && task != "SEQ_CLS" && task != "FEATURE_EXTRACTION") {
    throw format_error(path, "\"task_type\" is " + shown(given["task_type"]) + expected);
  }
  const json mapping = optional<json>(given, "auto_mapping", path, json::object());
  const auto name = optional<std::string>(mapping, "base_model_class", path, "");
  if (name.find("For") != name.npos && !name.ends_with("ForSequenceClassification")) {
    throw format_error(path, "\"auto_mapping\" says " + shown(mapping["base_model_class"]) + expected);
  }
}

/// What of STORED, the tensors of a PEFT folder, is a copy of the encoder's.
/// @throws format_error  a table of word embeddings of another length, or another part of the encoder in another shape
GRAFT_INLINE tensor_source trunk_copies(const tensor_source& stored, const encoder_config& config) {
  tensor_source copies(stored.path());
  const tensor_shapes trunk = trunk_tensors(config);
  copies.add_all(stored, [&](const std::string& name) -> std::optional<std::string> {
    const auto own = trunk.find(name);
    if (own == trunk.end() || name.find(".pooler.") != name.npos) return std::nullopt;
    const auto& shape = stored.at(name).shape;
    const bool table = name.ends_with(".word_embeddings.weight") && shape.size() == 2 && shape[1] == config.hidden_size;
    if (table && shape[0] != config.vocab_size) {
      throw format_error(stored.path(),
                         "holds a table of " + std::to_string(shape[0]) + " word embeddings, the encoder's has " +
                             std::to_string(config.vocab_size) +
                             ": its vocabulary was resized in training, and it needs an encoder with the resized table",
                         remedy{"trunk"});
    }
    stored.expect({*own});
    return name;
  });
  return copies;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE adapter_file read_peft(const std::string& folder, const encoder_config& config) {
  const std::string path = (std::filesystem::path(folder) / "adapter_config.json").string();
  const json given = read_json(path);
  if (const auto type = required<std::string>(given, "peft_type", path); type != "LORA") {
    throw format_error(path, "\"peft_type\" is " + type + ", LORA was expected");
  }
  std::set<std::string> handled{"peft_type",       "r",
                                "lora_alpha",      "target_modules",
                                "exclude_modules", "layers_to_transform",
                                "layers_pattern",  // which layers they picked, the tensors say
                                "use_rslora",      "lora_dropout",
                                "modules_to_save", "base_model_name_or_path",
                                "revision",        "inference_mode",
                                "auto_mapping",    "megatron_core",
                                "peft_version",    "qalora_group_size"};
  // The other ways of filling the matrices at the start change the trunk with them.
  const json start = given.value("init_lora_weights", json());
  if (start.is_boolean() || start == "gaussian" || start == "eva" || start == "orthogonal")
    handled.insert({"init_lora_weights", "eva_config"});
  handled.insert("task_type");
  detail::check_peft_task(given, path);
  check_fields(given, {{"bias", "none"}}, handled, path);

  const tensor_source file = detail::open_first(folder, {"adapter_model.safetensors", "adapter_model.bin"});
  std::set<std::string> adapters;
  const auto short_name = [&](std::string name) -> std::optional<std::string> {
    for (const std::string_view wrapper : {"module.", "_orig_mod."}) {
      if (name.starts_with(wrapper)) name.erase(0, wrapper.size());
    }
    if (!name.starts_with(detail::peft_prefix))
      throw format_error(file.path(), "holds tensor '" + name + "', a name with base_model.model. was expected");
    name.erase(0, detail::peft_prefix.size());
    if (name.starts_with("model.")) name.erase(0, std::string_view("model.").size());
    return detail::peft_name(name, adapters);
  };
  for (const auto& [name, info] : file.tensors()) short_name(name);
  if (adapters.size() > 1) {
    throw format_error(file.path(), "holds several adapters, " + detail::listed(adapters, detail::quoted) + ": save one of them alone");
  }
  tensor_source inner(file.path()), all(file.path());
  inner.add_all(file, short_name);
  all.add_all(inner, [&](const std::string& name) { return canonical_name(name, config.model_type); });
  const tensor_source copies = detail::trunk_copies(all, config);
  tensor_source stored(file.path());
  stored.add_all(all, [&](const std::string& name) { return copies.contains(name) ? std::nullopt : std::optional(name); });
  model_description d;
  d.kind = "lora";
  d.layer_norms_trained = false;
  d.lora.r = required<index>(given, "r", path);
  d.lora.alpha = required<double>(given, "lora_alpha", path);
  if (!ranges::lora_r.contains(static_cast<double>(d.lora.r))) {
    throw format_error(path, "\"r\" is " + std::to_string(d.lora.r) + ", " + ranges::lora_r.text() + " was expected");
  }
  if (optional<bool>(given, "use_rslora", path, false)) d.lora.alpha *= std::sqrt(static_cast<double>(d.lora.r));
  if (!ranges::lora_alpha.contains(d.lora.alpha)) {
    throw format_error(path, "\"lora_alpha\" is " + given["lora_alpha"].dump() + ", " + ranges::lora_alpha.text() + " was expected");
  }
  const json targets = given.value("target_modules", json());
  d.lora.targets = detail::targets_of(
      stored, config, targets.is_array() ? required<std::vector<std::string>>(given, "target_modules", path) : std::vector<std::string>());
  if (lora_tensors(config, d).empty()) {
    throw format_error(path, "\"target_modules\" is " + shown(targets) + ": no dense layer of this encoder has an update");
  }
  if (const index rows = head_rows(stored, config); rows != 0) number_labels(d, rows, stored.path());
  return {d, take_tensors(stored, adapter_tensors(config, d, stored)), copies};
}

GRAFT_INLINE void write_peft(const std::string& folder, const adapter_file& a, const encoder_config& config) {
  const model_description& d = a.description;
  if (d.kind != "lora") throw config_error(a.tensors.path() + ": is no low-rank update, the only kind that is written for PEFT");
  staged_files files(folder);
  safetensors_writer writer;
  writer.metadata = {{"format", "pt"}};
  for (const auto& [name, info] : a.tensors.tensors()) {
    writer.add(std::string(detail::peft_prefix) + name, info.shape, info.type, info.bytes, info.type);
  }
  writer.write(files.staged_path("adapter_model.safetensors"));
  json saved = nullptr;
  if (a.has_head()) saved = json::array({"classifier"});
  if (a.tensors.contains("bert.pooler.dense.weight")) saved.push_back("pooler");
  // `dense` alone would name layers of the head there, too.
  const bool alone = std::find(d.lora.targets.begin(), d.lora.targets.end(), "dense") != d.lora.targets.end();
  // Alpha is a whole number there, but nothing depends on it: a fraction is written as it is.
  const bool whole = d.lora.alpha == std::floor(d.lora.alpha) && std::abs(d.lora.alpha) < 1e9;
  const ordered_json about{{"peft_type", "LORA"},
                           {"task_type", a.has_head() ? json("SEQ_CLS") : json()},
                           {"base_model_name_or_path", nullptr},
                           {"r", d.lora.r},
                           {"lora_alpha", whole ? json(static_cast<index>(d.lora.alpha)) : json(d.lora.alpha)},
                           {"target_modules", alone ? detail::targets_of(a.tensors, config) : d.lora.targets},
                           {"lora_dropout", 0.0},
                           {"bias", "none"},
                           {"fan_in_fan_out", false},
                           {"use_rslora", false},
                           {"use_dora", false},
                           {"init_lora_weights", true},
                           {"modules_to_save", saved},
                           {"inference_mode", true}};
  write_file(files.staged_path("adapter_config.json"), about.dump(2) + "\n");
  files.commit({"adapter_model.bin"});
}

}  // namespace graft
