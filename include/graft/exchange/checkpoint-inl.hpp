#pragma once
// Bodies of graft/exchange/checkpoint.hpp.

#include <algorithm>
#include <filesystem>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/file.hpp"
#include "graft/encoder/families/families.hpp"
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
  where = ((is_folder(path) ? fs::path(path) : fs::path(path).parent_path()) / "config.json").string();
  if (!is_there(where)) return std::nullopt;
  const json about = read_json(where);
  return about.is_object() && about.contains("hidden_size") ? std::optional(about) : std::nullopt;
}

/// How the head of a model that ABOUT configures is called where it is not one that answers for a whole text or its words; "" where it is.
GRAFT_INLINE std::string other_head(const json& about, const std::string& path) {
  for (const auto& name : optional<std::vector<std::string>>(about, "architectures", path, {})) {
    if (name.find("For") == name.npos || name.ends_with("ForSequenceClassification") || name.ends_with("ForTokenClassification")) continue;
    return name;
  }
  return "";
}

/// The head of a model that ABOUT configures, an encoder with C: it answers for a text, or for its words.
GRAFT_INLINE head_options head_of(const json& about, const encoder_config& c, const std::string& path) {
  optional<std::vector<std::string>>(about, "architectures", path, {});  // names they are
  return names_token_head(about) ? token_head(c) : usual_head(c);
}

/// The function that a CrossEncoder of sentence-transformers puts behind the ROWS logits of a model with the config.json ABOUT; "" where
/// nothing says that it is one.
GRAFT_INLINE std::string cross_encoder_function(const json& about, const std::string& where, index rows) {
  const auto function = [&](const json& object, const char* field, const std::string& path) {
    return optional<std::string>(object, field, path, "");
  };
  const std::string sentence_config_path = (std::filesystem::path(where).parent_path() / "config_sentence_transformers.json").string();
  const json sentence_config = is_there(sentence_config_path) ? read_json(sentence_config_path) : json();
  const json within = about.value("sentence_transformers", json());
  const bool is_cross_encoder = sentence_config.is_object() && sentence_config.value("model_type", json()) == "CrossEncoder";
  std::string name;
  if (is_cross_encoder) name = function(sentence_config, "activation_fn", sentence_config_path);
  if (name.empty() && within.is_object()) name = function(within, "activation_fn", where);
  if (name.empty()) name = function(about, "sbert_ce_default_activation_function", where);
  if (name.empty()) return !(is_cross_encoder || within.is_object()) ? "" : rows == 1 ? "Sigmoid" : "Identity";
  const std::string last = name.substr(name.rfind('.') + 1);
  if (!name.starts_with("torch.") || !(last == "Sigmoid" || last == "Identity" || (last == "Softmax" && rows > 1))) {
    throw format_error(is_cross_encoder ? sentence_config_path : where,
                       "says that " + name + " comes behind its logits, torch's Sigmoid or Identity was expected");
  }
  return last;
}

GRAFT_INLINE model_description describe_own_head(const json& about, const std::string& where, index rows, const head_options& head) {
  if (const std::string other = other_head(about, where); !other.empty()) {
    throw format_error(where, "says that its head is of " + other +
                                  ", one of ...ForSequenceClassification or ...ForTokenClassification was "
                                  "expected");
  }
  const auto problem = optional<std::string>(about, "problem_type", where, "");
  const std::string function = cross_encoder_function(about, where, rows);
  model_description d;
  d.one_separator = true;
  d.head = head;
  d.task_name = optional<std::string>(about, "finetuning_task", where, "");
  number_labels(d, rows, where);
  if (head.tokens) {
    d.output = task_kind::token_classification;
    if (rows == 1) d.labels = {"0"};
    if (const auto labels = labels_by_id(about, rows, where); !labels.empty()) d.labels = labels;
    d.labels_said = d.labels[0] != "0";
    return d;
  }
  if (!function.empty()) d.max_seq_length = model_max_length(std::filesystem::path(where).parent_path().string());
  d.sigmoid = function == "Sigmoid";
  if (problem == "multi_label_classification") {
    d.output = task_kind::classification;
    d.sigmoid = true;
    if (rows == 1) d.labels = {"0"};
  } else if (problem == "regression") {
    d.output = task_kind::regression;
  } else if (problem != "" && problem != "single_label_classification") {
    throw format_error(where, "\"problem_type\" is " + shown(about["problem_type"]) +
                                  ", single_label_classification, multi_label_classification or regression was expected");
  }
  if (!d.labels.empty()) {
    if (const auto labels = labels_by_id(about, rows, where); !labels.empty()) {
      d.labels = labels;
      d.labels_said = true;
    }
  }
  return d;
}

/// What the user should know of the head that D describes, which came from PATH.
GRAFT_INLINE std::vector<std::string> own_head_notes(const json& about, const model_description& d, const std::string& where) {
  if (d.output != task_kind::regression || d.num_labels() != 1 || d.sigmoid) return {};
  if (about.contains("problem_type") && !about["problem_type"].is_null()) return {};
  if (!cross_encoder_function(about, where, 1).empty()) return {};
  return {where +
          ": does not say what its one number is (\"problem_type\"): it is given as it is; a CrossEncoder of sentence-transformers "
          "would put it through a sigmoid"};
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE adapter_file read_own_head(const tensor_source& model, const trunk_files& files, const encoder_config& config) {
  const head_names head(config);
  const index rows = head_rows(model, config);
  std::string where = files.config_path;
  const auto about = where.empty() ? detail::config_of(files.model_path, model, where) : std::optional(read_json(where));
  if (about) {
    if (const std::string other = detail::other_head(*about, where); !other.empty()) {
      throw format_error(where, "says that its head is of " + other +
                                    ", one of ...ForSequenceClassification or ...ForTokenClassification was "
                                    "expected");
    }
  }
  if (rows == 0) {
    throw format_error(files.model_path, "holds no head for texts or words: no tensor '" +
                                             name_in_files(family_of(config.model_type), head.out_proj + ".weight") + "' is there");
  }
  if (!about) throw format_error(files.model_path, "holds a head, and no config.json says what it answers");
  model_description d = detail::describe_own_head(*about, where, rows, detail::head_of(*about, config, where));
  d.kind = tuning_kind::head;
  tensor_shapes shapes = head_tensors(config, d.num_labels(), d.head);
  if (d.head.dense_layers > 0 && trunk_tensors(config).contains(head.dense + ".weight")) {
    if (!brings_pooler(model)) throw format_error(files.model_path, "holds a head without the pooler below it (" + head.dense + ".*)");
    std::erase_if(shapes, [&](const auto& item) { return is_pooler(item.first); });
  }
  tensor_source held(model.path());
  held.add_all(model, [&](const std::string& name) { return shapes.contains(name) ? std::optional(name) : std::nullopt; });
  adapter_file found{d, take_tensors(held, shapes)};
  found.notes = detail::own_head_notes(*about, d, where);
  return found;
}

GRAFT_INLINE adapter_file with_own_head(adapter_file file, const adapter_file& head) {
  model_description& d = file.description;
  const model_description& answering = head.description;
  if (!file.has_head()) {
    file.tensors.add_all(head.tensors,
                         [&](const std::string& name) { return file.tensors.contains(name) ? std::nullopt : std::optional(name); });
    file.notes.push_back(file.tensors.path() + ": has no head: the model's own answers");
  } else if ((d.kind != tuning_kind::lora && d.kind != tuning_kind::ia3) || d.labels_said || !answering.labels_said ||
             answering.num_labels() != d.num_labels() || answering.labels.empty()) {
    return file;
  } else {
    file.notes.push_back(file.tensors.path() + ": does not say what its labels are: they are taken to be those of the model's own head");
  }
  d.output = answering.output;
  d.head = answering.head;
  d.sigmoid = answering.sigmoid;
  d.as_trained = answering.as_trained;
  d.labels = answering.labels;
  d.labels_said = answering.labels_said;
  if (d.task_name.empty()) d.task_name = answering.task_name;
  return file;
}

GRAFT_INLINE tensor_source model_with_head(const tensor_source& model, const adapter_file& file, const encoder_config& config) {
  const head_names names(config);
  const auto trunk = trunk_tensors(config);
  tensor_source head(file.tensors.path()), result(model.path());
  if (file.description.head == usual_head(config) || file.description.head == token_head(config)) {
    head.add_all(file.tensors, [&](const std::string& name) { return names.is_head(name) ? std::optional(name) : std::nullopt; });
  }
  result.set_metadata(model.metadata());
  result.add_all(model, [&](const std::string& name) {
    const bool own_head = names.is_head(name) && !trunk.contains(name);
    return own_head || head.contains(name) ? std::nullopt : std::optional(name);
  });
  result.add_all(head);
  return result;
}

GRAFT_INLINE json config_with_head(json about, const model_description& d) {
  for (const char* stale : {"num_labels", "_num_labels", "sentence_transformers", "sbert_ce_default_activation_function"})
    about.erase(stale);
  about["id2label"] = about["label2id"] = json::object();
  for (index i = 0; i < d.num_labels(); ++i) {
    const bool named = d.labels_said && !d.labels.empty();
    const std::string label = named ? d.labels[static_cast<std::size_t>(i)] : "LABEL_" + std::to_string(i);
    about["id2label"][std::to_string(i)] = label;
    about["label2id"][label] = i;
  }
  const bool regression = d.output == task_kind::regression;
  about["problem_type"] = regression ? "regression" : d.sigmoid ? "multi_label_classification" : "single_label_classification";
  if (d.head.tokens) about.erase("problem_type");
  if (regression && d.sigmoid) about["sentence_transformers"] = {{"activation_fn", "torch.nn.modules.activation.Sigmoid"}};
  for (json& name : about["architectures"]) {  // none, where there were none
    if (!name.is_string()) continue;
    const auto text = name.get<std::string>();
    name = text.substr(0, std::min(text.rfind("For"), text.rfind("Model"))) +
           (d.head.tokens ? "ForTokenClassification" : "ForSequenceClassification");
  }
  return about;
}

GRAFT_INLINE std::optional<adapter_file> read_checkpoint(const tensor_source& stored, const std::string& path,
                                                         const encoder_config& config) {
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

  model_description d = detail::describe_own_head(*about, where, head_rows(model, config), detail::head_of(*about, config, where));
  const json described = to_json(parse_encoder_config(*about, where)), given = to_json(config);
  for (const auto& [field, value] : described.items()) {
    if (field.find("dropout") == field.npos && field != "named_type" && value != given[field]) {
      throw format_error(where, "\"" + field + "\" is " + shown(value) + ", the given encoder's is " + shown(given[field]) +
                                    ": they are different encoders");
    }
  }
  d.kind = tuning_kind::full;
  return adapter_file{d, take_tensors(model, adapter_tensors(config, d, model)), tensor_source(path),
                      detail::own_head_notes(*about, d, where)};
}

}  // namespace graft
