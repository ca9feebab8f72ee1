#pragma once
// Bodies of graft/exchange/checkpoint.hpp.

#include <filesystem>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/exchange/config_fields.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/weights.hpp"

namespace graft::detail {

GRAFT_INLINE std::optional<json> config_of(const std::string& path, const tensor_source& stored, std::string& where) {
  namespace fs = std::filesystem;
  if (const auto carried = stored.metadata().find("config"); carried != stored.metadata().end()) {
    where = path + " (\"config\")";
    return parse_json(carried->second, where);
  }
  where = ((fs::is_directory(path) ? fs::path(path) : fs::path(path).parent_path()) / "config.json").string();
  if (!is_there(where)) return std::nullopt;
  const json about = read_json(where);
  return about.is_object() && about.contains("hidden_size") ? std::optional(about) : std::nullopt;
}

/// How the head of a model that ABOUT configures is called where it is not one that answers for a whole text; "" where it is.
GRAFT_INLINE std::string other_head(const json& about, const std::string& path) {
  if (const auto problem = optional<std::string>(about, "problem_type", path, ""); problem == "multi_label_classification") {
    return "\"problem_type\" " + problem;
  }
  for (const auto& name : optional<std::vector<std::string>>(about, "architectures", path, {})) {
    if (name.find("For") != name.npos && !name.ends_with("ForSequenceClassification")) return name;
  }
  return "";
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::optional<adapter_file> read_checkpoint(const std::string& path, const encoder_config& config) {
  namespace fs = std::filesystem;
  if (!fs::exists(path) || (fs::is_directory(path) && !is_there(fs::path(path) / "config.json"))) return std::nullopt;
  const tensor_source stored = open_weights(path);
  if (has_description(stored.metadata())) return std::nullopt;
  tensor_source model(path);
  const name_prefix prefix(stored.tensors(), config.model_type, path);
  model.add_all(stored, [&](const std::string& name) { return prefix.canonical(name); });
  const auto trunk = trunk_tensors(config);
  bool added = false;
  for (const auto& [name, info] : model.tensors())
    added = added || name.find(".adapter.") != name.npos || name.find(".multi_adapter.") != name.npos;
  const head_names head(config);
  if (added || !model.contains(trunk.begin()->first) || !model.contains(head.out_proj + ".weight")) return std::nullopt;
  std::string where;
  const auto about = detail::config_of(path, stored, where);
  if (!about) return std::nullopt;

  if (const std::string other = detail::other_head(*about, where); !other.empty()) {
    throw format_error(where, "says that its head is of " + other + ", one of ...ForSequenceClassification was expected");
  }
  const json own = to_json(parse_encoder_config(*about, where)), given = to_json(config);
  for (const auto& [field, value] : own.items()) {
    if (field.find("dropout") == field.npos && value != given[field]) {
      throw format_error(where, "\"" + field + "\" is " + shown(value) + ", the given encoder's is " + shown(given[field]) +
                                    ": they are different encoders");
    }
  }
  model_description d;
  d.kind = "full";
  d.task_name = optional<std::string>(*about, "finetuning_task", where, "");
  number_labels(d, head_rows(model, config), path);
  if (d.output == task_kind::classification) {
    if (const auto problem = optional<std::string>(*about, "problem_type", where, ""); problem == "regression") {
      throw format_error(where, "\"problem_type\" is regression, of " + std::to_string(d.labels.size()) + " numbers; one was expected");
    }
    if (const auto labels = labels_by_id(*about, d.num_labels(), where); !labels.empty()) {
      d.labels = labels;
      d.labels_said = true;
    }
  }
  return adapter_file{d, take_tensors(model, adapter_tensors(config, d, model))};
}

}  // namespace graft
