#pragma once
// Folders that AdapterHub's library `adapters` (before it: adapter-transformers) saves of bottleneck adapters and their heads.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graft/exchange/adapter_file.hpp"
#include "graft/exchange/config_fields.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/torch_writer.hpp"
#include "graft/io/weights.hpp"

namespace graft {

namespace detail {

/// The weights in FOLDER under the first of NAMES that is there.
inline tensor_source open_first(const std::string& folder, const std::vector<std::string>& names) {
  std::string tried;
  for (const std::string& name : names) {
    const std::string path = (std::filesystem::path(folder) / name).string();
    if (std::filesystem::exists(path)) return open_weights(path);
    tried += (tried.empty() ? "" : ", ") + name;
  }
  throw format_error(folder, "holds no weights: none of " + tried + " is there");
}

/// AdapterHub's name of graft's tensor NAME, for an adapter called ADAPTER.
inline std::string adapterhub_name(const std::string& name, const std::string& adapter) {
  return replace_first(replace_first(name, ".adapter.down_project.", ".adapters." + adapter + ".adapter_down.0."), ".adapter.up_project.",
                       ".adapters." + adapter + ".adapter_up.");
}

/// The same for a head of one or two layers: the module numbers count dropout and activation, too.
inline std::string adapterhub_head_name(const std::string& name, const head_names& head, const std::string& adapter, int layers) {
  const bool last = name.starts_with(head.out_proj + ".");
  return "heads." + adapter + (last && layers == 2 ? ".4" : ".1") + name.substr((last ? head.out_proj : head.dense).size());
}

/// What the library calls the name that a model's configuration calls so: reading `gelu` without a version means the tanh form, which
/// graft does not compute; `gelu_orig` was the erf form then.
inline activation adapterhub_activation(const std::string& name, bool has_version, const std::string& path) {
  if (name == "relu") return activation::relu;
  if (name == "swish" || name == "silu") return activation::swish;
  if (name == (has_version ? "gelu" : "gelu_orig")) return activation::gelu;
  throw format_error(path, "\"non_linearity\" is \"" + name + "\"" +
                               (name == "gelu" ? " in a file without a version, where it is the tanh form" : "") +
                               ", which graft does not compute: relu, swish or " + (has_version ? "gelu" : "gelu_orig") + " was expected");
}

/// hidden_size // FACTOR as Python computes it for floating-point numbers, and at least 1.
inline index reduced_size(index hidden_size, double factor) {
  const auto h = static_cast<double>(hidden_size);
  const double quotient = (h - std::fmod(h, factor)) / factor;
  const double whole = std::floor(quotient);
  return std::max<index>(1, static_cast<index>(quotient - whole > 0.5 ? whole + 1 : whole));
}

/// One size for all layers from a reduction factor: a number, or one a layer ({"0": 8, "default": 16}).
inline index adapterhub_size(const json& factor, const encoder_config& config, const std::string& path) {
  index size = 0;
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    const json* one = &factor;
    if (factor.is_object()) {
      const auto own = factor.find(std::to_string(n));
      const auto other = factor.find("default");
      one = own != factor.end() ? &*own : other != factor.end() ? &*other : nullptr;
    }
    if (one == nullptr || !one->is_number() || one->get<double>() <= 0 || one->get<double>() > 1e9) {
      throw format_error(
          path, "\"reduction_factor\" is " + factor.dump() + ", a positive number for layer " + std::to_string(n) + " was expected");
    }
    const index here = reduced_size(config.hidden_size, one->get<double>());
    if (size != 0 && here != size) {
      throw format_error(path, "\"reduction_factor\" is " + factor.dump() + ": adapters of several sizes, which graft does not compute");
    }
    size = here;
  }
  return size;
}

/// @throws format_error  ABOUT, a configuration of the library's, says that it is for another model
inline void check_model(const json& about, const encoder_config& config, const std::string& path) {
  const std::string type = encoder_model_type(about, path);
  if (type != config.model_type) throw format_error(path, "is for a " + type + " model, the one given is " + config.model_type);
  if (const index size = required<index>(about, "hidden_size", path); size != config.hidden_size) {
    throw format_error(path, "\"hidden_size\" is " + std::to_string(size) + ", the model's is " + std::to_string(config.hidden_size));
  }
}

inline model_description describe_adapterhub(const json& about, const encoder_config& config, const std::string& path) {
  json given = required<json>(about, "config", path);
  if (given == "houlsby" || given == "double_seq_bn") {
    given = {{"mh_adapter", true}, {"output_adapter", true}, {"non_linearity", "swish"}, {"reduction_factor", 16}};
  } else if (given == "pfeiffer" || given == "seq_bn") {
    given = {
        {"mh_adapter", false}, {"output_adapter", true}, {"non_linearity", "relu"}, {"reduction_factor", 16}, {"original_ln_before", true}};
  }
  if (!given.is_object()) {
    throw format_error(path, "\"config\" is " + given.dump() + ", double_seq_bn, seq_bn (or houlsby, pfeiffer) or an object was expected");
  }
  const bool double_bn = required<bool>(given, "mh_adapter", path);
  json fields{{"original_ln_before", false}};
  fields.update(given);
  // Fields about how an adapter was first filled, and about parts that it does not have.
  std::set<std::string> handled{"mh_adapter",
                                "non_linearity",
                                "reduction_factor",
                                "init_weights",
                                "adapter_residual_before_ln",
                                "inv_adapter_reduction_factor",
                                "phm_dim",
                                "phm_c_init",
                                "phm_init_range",
                                "phm_rank",
                                "phm_bias",
                                "factorized_phm_W",
                                "factorized_phm_rule",
                                "shared_W_phm",
                                "shared_phm_rule",
                                "learn_phm",
                                "hypercomplex_nonlinearity"};
  // The first version named an invertible adapter in those for tasks, too, but never made it.
  if (about.value("type", json()) == "text_task") handled.insert({"invertible_adapter", "inv_adapter"});
  check_fields(fields,
               {{"output_adapter", true},
                {"original_ln_before", !double_bn},
                {"original_ln_after", true},
                {"residual_before_ln", true},
                {"scaling", 1.0}},
               handled, path);
  if (!required<bool>(fields, "output_adapter", path)) throw format_error(path, "\"output_adapter\" is false");
  model_description d;
  d.kind = "adapter";
  d.task_name = required<std::string>(about, "name", path);
  d.adapter_size = adapterhub_size(required<json>(given, "reduction_factor", path), config, path);
  d.adapter_hidden_act = adapterhub_activation(required<std::string>(given, "non_linearity", path), about.contains("version"), path);
  d.placement = double_bn ? adapter_placement::houlsby : adapter_placement::pfeiffer;
  d.layer_norms_trained = false;
  return d;
}

/// Adds labels to D, and to TENSORS the head in FOLDER.
inline void read_adapterhub_head(const std::string& folder, const encoder_config& config, model_description& d, tensor_source& tensors) {
  const std::string path = (std::filesystem::path(folder) / "head_config.json").string();
  const json about = read_json(path);
  check_model(about, config, path);
  const bool bert = config.model_type == "bert";
  const head_names head(config);
  const json given = required<json>(about, "config", path);
  const bool own_class = given.is_null();  // the head of RobertaForSequenceClassification and the like, under its own names
  int layers = bert && own_class ? 1 : 2;
  index classes = 0;
  json label2id;
  if (own_class) {
    const auto model_class = required<std::string>(about, "model_class", path);
    if (!model_class.ends_with("ForSequenceClassification")) {
      throw format_error(path, "\"model_class\" is " + model_class + ", a head for sequence classification was expected");
    }
    classes = required<index>(about, "num_labels", path);
    label2id = about.value("label2id", json());
  } else {
    layers = required<int>(given, "layers", path);
    std::map<std::string, json> needed{{"head_type", "classification"},
                                       {"activation_function", "tanh"},
                                       {"bias", true},
                                       {"use_pooler", false},
                                       {"layers", 2},
                                       {"dropout_prob", config.hidden_dropout_prob}};
    if (bert && layers == 1) {  // on top of the trunk's pooler
      needed["use_pooler"] = true;
      needed["layers"] = 1;
      needed["activation_function"] = given.value("activation_function", json());
    }
    std::set<std::string> handled{"num_labels", "label2id", "id2label"};
    if (given.value("dropout_prob", json()).is_null()) handled.insert("dropout_prob");  // the model's
    check_fields(given, needed, handled, path);
    classes = required<index>(given, "num_labels", path);
    label2id = given.value("label2id", json());
  }
  if (classes < 1) throw format_error(path, "\"num_labels\" is " + std::to_string(classes));
  number_labels(d, classes);
  if (classes > 1 && !label2id.is_null()) {
    std::vector<std::string> labels(static_cast<std::size_t>(classes));
    for (const auto& [label, id] : required<std::map<std::string, index>>(json{{"label2id", label2id}}, "label2id", path)) {
      if (id >= 0 && id < classes) labels[static_cast<std::size_t>(id)] = label;
    }
    if (label2id.size() != labels.size() || std::count(labels.begin(), labels.end(), "") != 0) {
      throw format_error(path, "\"label2id\" is " + label2id.dump() + ", one label for each id from 0 to " + std::to_string(classes - 1) +
                                   " was expected");
    }
    d.labels = labels;
  }
  const tensor_source stored = open_first(folder, {"pytorch_model_head.bin", "model_head.safetensors"});
  tensor_shapes shapes = head_tensors(config, classes);
  if (layers == 1) std::erase_if(shapes, [&](const auto& item) { return item.first.starts_with(head.dense + "."); });
  const auto name = optional<std::string>(about, "name", path, "");
  const tensor_source taken = take_tensors(
      stored, shapes, [&](const std::string& ours) { return own_class ? ours : adapterhub_head_name(ours, head, name, layers); });
  tensors.add_all(taken, [](const std::string& ours) { return std::optional(ours); });
}

}  // namespace detail

/// Reads the adapter in FOLDER: adapter_config.json, pytorch_adapter.bin or adapter.safetensors, and the head if there is one
/// (head_config.json, pytorch_model_head.bin or model_head.safetensors). Understood are the configurations double_seq_bn and seq_bn,
/// once called houlsby and pfeiffer, with any reduction factor, and the names of every version since the first. The trunk's LayerNorms
/// are not trained there; if graft wrote the folder they may lie beside, in layer_norms.safetensors.
/// @throws format_error  a file is missing or damaged; a field asks for what graft does not compute; a tensor is missing, of another shape
///                       (both are named), or unknown
/// Source: adapter-hub/adapters, configuration/adapter_config.py, methods/modeling.py, loading.py, heads/base.py.
inline adapter_file read_adapterhub(const std::string& folder, const encoder_config& config) {
  const std::string path = (std::filesystem::path(folder) / "adapter_config.json").string();
  const json about = read_json(path);
  detail::check_model(about, config, path);
  model_description d = detail::describe_adapterhub(about, config, path);

  const tensor_source file = detail::open_first(folder, {"pytorch_adapter.bin", "adapter.safetensors"});
  tensor_source stored(file.path());
  stored.add_all(file, [&](std::string name) {
    for (const std::string_view old : {"attention_text_task_", "attention_text_lang_", "layer_text_task_", "layer_text_lang_"}) {
      name = detail::replace_first(name, "." + std::string(old) + "adapters.", ".adapters.");
    }
    return canonical_name(name, config.model_type);
  });
  const std::string adapter = d.task_name;
  tensor_source tensors =
      take_tensors(stored, bottleneck_tensors(config, d), [&](const std::string& name) { return detail::adapterhub_name(name, adapter); });
  if (std::filesystem::exists(std::filesystem::path(folder) / "head_config.json")) detail::read_adapterhub_head(folder, config, d, tensors);
  const std::string norms = (std::filesystem::path(folder) / "layer_norms.safetensors").string();
  if (std::filesystem::exists(norms)) {
    const auto same = [](const std::string& name) { return name; };
    tensors.add_all(take_tensors(safetensors_file(norms), layer_norm_tensors(config), same),
                    [](const std::string& name) { return std::optional(name); });
    d.layer_norms_trained = true;
  }
  return {d, tensors};
}

/// Writes A into FOLDER, which is made if need be, as an adapter called NAME: adapter_config.json, pytorch_adapter.bin, and its head, if it
/// has one. Files of an earlier adapter there are removed. The format has no place for trained LayerNorms.
/// @param layer_norms_beside  write them to layer_norms.safetensors, which graft reads but the library does not
/// @throws config_error  A is low-rank, or has trained LayerNorms and LAYER_NORMS_BESIDE is false
/// @throws backend_error  as write_file
inline void write_adapterhub(const std::string& folder, const adapter_file& a, const encoder_config& config, const std::string& name,
                             bool layer_norms_beside) {
  const model_description& d = a.description;
  if (d.kind != "adapter") throw config_error(a.tensors.path() + ": is low-rank, which is not written for AdapterHub: choose --to peft");
  if (d.layer_norms_trained && !layer_norms_beside) {
    throw config_error(a.tensors.path() +
                       ": its LayerNorms were trained, and AdapterHub's format has no place for them: without them its answers differ; " +
                       "--layer_norms_beside writes them to layer_norms.safetensors, which graft reads again and the library does not");
  }
  if (name.empty() || name.find_first_of("./ ") != name.npos) {
    throw config_error("adapter_name is \"" + name + "\", a name without dots, slashes and spaces was expected");
  }
  namespace fs = std::filesystem;
  make_folder(folder);
  const auto place = [&](const char* file) { return (fs::path(folder) / file).string(); };
  for (const char* old : {"adapter_config.json", "head_config.json", "pytorch_adapter.bin", "adapter.safetensors", "pytorch_model_head.bin",
                          "model_head.safetensors", "layer_norms.safetensors"}) {
    fs::remove(place(old));
  }
  const head_names head(config);
  const bool own_pooler = a.tensors.contains(head.dense + ".weight");
  const int layers = own_pooler ? 2 : 1;
  torch_writer adapter, last_layers;
  safetensors_writer norms;
  for (const auto& [tensor, info] : a.tensors.tensors()) {
    if (tensor.find(".adapter.") != tensor.npos) {
      adapter.add(detail::adapterhub_name(tensor, name), info.shape, info.type, info.bytes);
    } else if (tensor.find(".LayerNorm.") != tensor.npos) {
      norms.add(tensor, info.shape, info.type, info.bytes, info.type);
    } else {
      last_layers.add(detail::adapterhub_head_name(tensor, head, name, layers), info.shape, info.type, info.bytes);
    }
  }
  const bool bert = config.model_type == "bert";
  ordered_json about{{"hidden_size", config.hidden_size},
                     {"model_class", bert ? "BertAdapterModel" : "RobertaAdapterModel"},
                     {"model_name", nullptr},
                     {"model_type", config.model_type},
                     {"name", name},
                     {"version", "adapters.1.2.0"}};
  const bool behind = d.placement == adapter_placement::pfeiffer;
  // A factor between those of this size and the next gives this size, whichever way it is rounded.
  const double factor = static_cast<double>(config.hidden_size) / (static_cast<double>(d.adapter_size) + 0.5);
  const bool whole = config.hidden_size % d.adapter_size == 0;
  ordered_json adapter_about = about;
  adapter_about["config"] = {{"mh_adapter", !behind},
                             {"output_adapter", true},
                             {"reduction_factor", whole ? json(config.hidden_size / d.adapter_size) : json(factor)},
                             {"non_linearity", activation_name(d.adapter_hidden_act)},
                             {"original_ln_before", behind},
                             {"original_ln_after", true},
                             {"ln_before", false},
                             {"ln_after", false},
                             {"init_weights", "bert"},
                             {"is_parallel", false},
                             {"scaling", 1.0},
                             {"use_gating", false},
                             {"residual_before_ln", true},
                             {"adapter_residual_before_ln", false},
                             {"inv_adapter", nullptr},
                             {"inv_adapter_reduction_factor", nullptr},
                             {"cross_adapter", false},
                             {"leave_out", json::array()},
                             {"dropout", 0.0},
                             {"phm_layer", false},
                             {"stochastic_depth", 0.0}};
  adapter.write(place("pytorch_adapter.bin"));
  if (d.layer_norms_trained) norms.write(place("layer_norms.safetensors"));
  if (a.has_head()) {
    std::map<std::string, index> ids;
    for (std::size_t i = 0; i < d.labels.size(); ++i) ids[d.labels[i]] = static_cast<index>(i);
    ordered_json head_about = about;
    head_about["config"] = {{"head_type", "classification"},
                            {"num_labels", d.num_labels()},
                            {"layers", layers},
                            {"activation_function", layers == 2 ? json("tanh") : json()},
                            {"label2id", ids.empty() ? json() : json(ids)},
                            {"use_pooler", layers == 1},
                            {"bias", true},
                            {"dropout_prob", nullptr}};
    last_layers.write(place("pytorch_model_head.bin"));
    write_file(place("head_config.json"), head_about.dump(2) + "\n");
  }
  write_file(place("adapter_config.json"), adapter_about.dump(2) + "\n");
}

}  // namespace graft
