#pragma once
// Bodies of graft/exchange/adapterhub.hpp.

#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

#include "graft/core/compiled.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/exchange/adapterhub.hpp"
#include "graft/exchange/adapterhub_config.hpp"
#include "graft/exchange/adapterhub_lora.hpp"
#include "graft/exchange/adapterhub_prefix.hpp"
#include "graft/exchange/config_fields.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/torch_writer.hpp"

namespace graft::detail {

/// AdapterHub's name of graft's tensor NAME, for an adapter called ADAPTER. With a LayerNorm in front (LN_BEFORE), that is the first module
/// of the sequence that goes down.
GRAFT_INLINE std::string adapterhub_name(std::string name, const std::string& adapter, bool ln_before) {
  const std::string start = ".adapters." + adapter + ".";
  const std::string invertible = ".invertible_adapters." + adapter;
  const std::pair<const char*, std::string> parts[] = {
      {".embeddings.adapter.f.down_project.", invertible + ".F.0."},
      {".embeddings.adapter.f.up_project.", invertible + ".F.2."},
      {".embeddings.adapter.g.down_project.", invertible + ".G.0."},
      {".embeddings.adapter.g.up_project.", invertible + ".G.2."},
      {".adapter.down_project.", start + (ln_before ? "adapter_down.1." : "adapter_down.0.")},
      {".adapter.up_project.", start + "adapter_up."},
      {".adapter.norm_before.", start + "adapter_norm_before."},
      {".adapter.norm_after.", start + "adapter_norm_after."},
      {".adapter.gate.", start + "gate."}};
  for (const auto& [ours, theirs] : parts) name = replace_first(name, ours, theirs);
  return replace_first(name, ".adapter.scaling", start + "scaling");
}

/// The same for a head. The module numbers count dropout and activations, too, and not a pooler that is the trunk's.
GRAFT_INLINE std::string adapterhub_head_name(const std::string& name, const head_names& head, const adapterhub_head& h) {
  const auto number = [&](index layer) { return std::to_string((layer - (h.trunk_pooler ? 1 : 0)) * (h.activated ? 3 : 2) + 1); };
  const std::string part = name.substr(name.rfind('.'));
  for (index i = 0; i < h.made.dense_layers; ++i) {
    if (name == head.dense_layer(i) + part) return "heads." + h.name + "." + number(i) + part;
  }
  return "heads." + h.name + "." + number(h.made.dense_layers) + part;
}

/// What tells the adapter among TENSORS, under graft's names, from any other: LayerNorms that lie beside it belong to it alone.
GRAFT_INLINE std::string adapter_digest(const tensor_source& tensors) {
  fnv1a hash;
  for (const auto& [name, info] : tensors.tensors()) {
    if (name.find(".adapter.") == name.npos) continue;
    hash.add(name);
    hash.add(info.bytes);
  }
  return hash.text();
}

GRAFT_INLINE void read_adapterhub_head(const std::string& folder, const encoder_config& config, model_description& d,
                                       tensor_source& tensors) {
  const std::string path = (std::filesystem::path(folder) / "head_config.json").string();
  const json about = read_json(path);
  check_model(about, config, path);
  const adapterhub_head h = describe_head(about, config, path);
  number_labels(d, h.classes, path);
  if (const auto labels = labels_by_id(h.labels, h.classes, path); h.classes > 1 && !labels.empty()) {
    d.labels = labels;
    d.labels_said = true;
  }

  d.head = h.made;
  if (h.sigmoid) {
    d.output = task_kind::classification;
    d.sigmoid = true;
    if (d.labels.empty()) d.labels = {"0"};
  }
  if (d.head.tokens) {
    d.output = task_kind::token_classification;
    if (d.labels.empty()) d.labels = {"0"};
  }

  const head_names head(config);
  tensor_shapes shapes = head_tensors(config, h.classes, h.made);
  if (h.trunk_pooler) std::erase_if(shapes, [&](const auto& item) { return item.first.starts_with(head.dense + "."); });
  const std::string last_bias = head.out_proj + ".bias";
  if (!h.bias) shapes.erase(last_bias);
  const tensor_source file = open_first(folder, {"pytorch_model_head.bin", "model_head.safetensors"});
  tensor_source stored(file.path());  // the library also writes heads whose names begin with this one's
  stored.add_all(file, [&](const std::string& name) {
    const bool of_another = !h.hf_names && name.starts_with("heads.") && !name.starts_with("heads." + h.name + ".");
    return of_another ? std::nullopt : std::optional(name);
  });
  tensors.add_all(take_tensors(stored, shapes, [&](const std::string& name) {
    return h.hf_names ? name_in_files(family_of(config.model_type), name, h.made.tokens) : adapterhub_head_name(name, head, h);
  }));
  if (!h.bias) {
    const auto zeros = std::make_shared<std::vector<float>>(static_cast<std::size_t>(h.classes));
    tensors.keep_alive(zeros);
    tensors.add(last_bias, {dtype::f32, {h.classes}, std::as_bytes(std::span(*zeros))});
  }
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE adapter_file read_adapterhub(const std::string& folder, const encoder_config& config) {
  const std::string path = (std::filesystem::path(folder) / "adapter_config.json").string();
  const json about = read_json(path);
  detail::check_model(about, config, path);
  const bool prefix = detail::is_adapterhub_prefix(about);
  const bool lora = detail::is_adapterhub_lora(about);
  model_description d = prefix ? detail::describe_adapterhub_prefix(about, config, path)
                        : lora ? detail::describe_adapterhub_lora(about, config, path)
                               : detail::describe_adapterhub(about, config, path);

  const tensor_source file = detail::open_first(folder, {"pytorch_adapter.bin", "adapter.safetensors"});
  tensor_source stored(file.path());
  const bool ln_before = as_general(d.adapter).ln_before;
  stored.add_all(file, [&](std::string name) -> std::optional<std::string> {
    for (const std::string_view old : {"attention_text_task_", "attention_text_lang_", "layer_text_task_", "layer_text_lang_"}) {
      name = detail::replace_first(name, "." + std::string(old) + "adapters.", ".adapters.");
    }
    for (const std::string_view part : {"invertible_lang_adapters.", "invertible_adapters."}) {
      if (name.starts_with(part)) name = config.model_type + "." + name;  // of a model without a head
      name = detail::replace_first(name, "." + std::string(part), ".invertible_adapters.");
    }
    if (ln_before && name.find(".adapter_down.0.") != name.npos) return std::nullopt;  // the LayerNorm in front, a second time
    return canonical_name(name, config.model_type);
  });
  const std::string adapter = d.task_name;
  tensor_source tensors = prefix ? detail::prefix_from_adapterhub(stored, adapter, config, d.prefix)
                          : lora ? detail::lora_from_adapterhub(stored, adapter, config, d, about)
                                 : take_tensors(stored, all_adapters(config, d.adapter),
                                                [&](const std::string& name) { return detail::adapterhub_name(name, adapter, ln_before); });
  if (is_there(std::filesystem::path(folder) / "head_config.json")) detail::read_adapterhub_head(folder, config, d, tensors);
  const std::string norms = (std::filesystem::path(folder) / "layer_norms.safetensors").string();
  if (is_there(norms)) {
    const safetensors_file layer_norms(norms);
    const auto digest = layer_norms.metadata().find("adapter");
    if (digest != layer_norms.metadata().end() && digest->second != detail::adapter_digest(tensors)) {
      throw format_error(norms, "belongs to another adapter than the one in " + file.path() +
                                    ", which was saved again without it: remove layer_norms.safetensors to go on with the encoder's "
                                    "LayerNorms, or convert the adapter that it belongs to again");
    }
    tensors.add_all(take_tensors(layer_norms, layer_norm_tensors(config)));
    d.layer_norms_trained = true;
  }
  adapter_file a{d, tensors};
  if (const auto other = std::filesystem::path(folder) / "adapter.safetensors"; is_there(other) && file.path() != other) {
    a.notes.push_back(folder + ": holds pytorch_adapter.bin and adapter.safetensors: pytorch_adapter.bin counts; remove the older one");
  }
  return a;
}

GRAFT_INLINE void write_adapterhub(const std::string& folder, const adapter_file& a, const encoder_config& config, const std::string& name,
                                   bool layer_norms_beside) {
  const model_description& d = a.description;
  const bool prefix = d.kind == tuning_kind::prefix;
  const bool lora = d.kind == tuning_kind::lora || d.kind == tuning_kind::ia3;
  if (d.kind != tuning_kind::adapter && !prefix && !lora)
    throw config_error(a.tensors.path() + ": is of kind \"" + tuning_kind_name(d.kind) + "\", which is not written for AdapterHub");
  const bool writes_norms = d.kind == tuning_kind::adapter && d.layer_norms_trained;
  if (writes_norms && !layer_norms_beside) {
    throw config_error(a.tensors.path() +
                           ": its LayerNorms were trained, and AdapterHub's format has no place for them: without them its answers differ, "
                           "and beside it, in layer_norms.safetensors, graft finds them again and the library does not",
                       {"layer_norms_beside"});
  }
  if (name.empty() || name.find_first_of("./ ") != name.npos) {
    throw config_error("adapter_name is \"" + name + "\", a name without dots, slashes and spaces was expected");
  }
  const ordered_json configuration = prefix ? detail::prefix_configuration(d.prefix)
                                     : lora ? detail::lora_configuration(a, config)
                                            : detail::bottleneck_configuration(d.adapter, config);
  if (d.kind == tuning_kind::adapter && detail::describe_bottleneck(json(configuration), config, true, folder) != d.adapter) {
    throw config_error(a.tensors.path() + ": is " + adapter_text(d.adapter) + ", which AdapterHub's format has no place for");
  }
  staged_files files(folder);
  const bool ln_before = as_general(d.adapter).ln_before;
  const head_names head(config);
  const bool bert = config.model_type == "bert";
  detail::adapterhub_head h{.name = name, .made = d.head};
  h.trunk_pooler = bert && d.head.dense_layers > 0 && !a.tensors.contains(head.dense + ".weight");
  h.hf_names = family_of(config.model_type).pre_norm;  // the library has no AdapterModel of it
  h.activated = d.head.act != activation::linear;
  if (a.has_head() && d.head.pooler && !h.trunk_pooler) {
    throw config_error(a.tensors.path() + ": its head has a pooler of its own below layers with " + activation_name(d.head.act) +
                       ", and AdapterHub's format has no place for it");
  }
  torch_writer adapter, last_layers;
  safetensors_writer norms;
  norms.metadata = {{"adapter", detail::adapter_digest(a.tensors)}};
  const tensor_source prefixes = prefix ? detail::prefix_to_adapterhub(a.tensors, name, config, d.prefix) : tensor_source("");
  const auto in_files = [&](const std::string& tensor) { return name_in_files(family_of(config.model_type), tensor); };
  for (const auto& [tensor, info] : prefixes.tensors()) adapter.add(in_files(tensor), info.shape, info.type, info.bytes);
  for (const auto& [tensor, info] : a.tensors.tensors()) {
    if (tensor.find(".prefix.") != tensor.npos) continue;
    if (tensor.find(".lora_") != tensor.npos || tensor.ends_with(tensor_names::ia3)) {
      auto shape = info.shape;
      if (tensor.ends_with(tensor_names::lora_magnitude)) shape.push_back(1);
      adapter.add(in_files(detail::adapterhub_lora_name(tensor, name)), shape, info.type, info.bytes);
      continue;
    }
    if (tensor.find(".adapter.") != tensor.npos) {
      const std::string theirs = detail::adapterhub_name(tensor, name, ln_before);
      adapter.add(in_files(theirs), info.shape, info.type, info.bytes);
      if (tensor.find(".adapter.norm_before.") != tensor.npos) {  // the same module, found a second time
        adapter.add(in_files(detail::replace_first(theirs, ".adapter_norm_before.", ".adapter_down.0.")), info.shape, info.type,
                    info.bytes);
      }
    } else if (tensor.find(".LayerNorm.") != tensor.npos) {
      norms.add(tensor, info.shape, info.type, info.bytes, info.type);
    } else {
      last_layers.add(
          h.hf_names ? name_in_files(family_of(config.model_type), tensor, d.head.tokens) : detail::adapterhub_head_name(tensor, head, h),
          info.shape, info.type, info.bytes);
    }
  }
  ordered_json about{{"hidden_size", config.hidden_size},
                     {"model_class", model_class(config.model_type, config.named_type) + (!h.hf_names     ? "AdapterModel"
                                                                                          : d.head.tokens ? "ForTokenClassification"
                                                                                                          : "ForSequenceClassification")},
                     {"model_name", nullptr},
                     {"model_type", config.named_type.empty() ? config.model_type : config.named_type},
                     {"name", name},
                     {"version", "adapters.1.2.0"}};
  ordered_json adapter_about = about;
  adapter_about["config"] = configuration;
  adapter.write(files.staged_path("pytorch_adapter.bin"));
  if (writes_norms) norms.write(files.staged_path("layer_norms.safetensors"));
  if (a.has_head()) {
    std::map<std::string, index> ids;
    for (std::size_t i = 0; i < d.labels.size(); ++i) ids[d.labels[i]] = static_cast<index>(i);
    ordered_json head_about = about;
    const index head_layers = d.head.dense_layers - (h.trunk_pooler ? 1 : 0);
    head_about["config"] = {{"head_type", d.head.tokens ? "tagging"
                                          : d.sigmoid   ? "multilabel_classification"
                                                        : "classification"},
                            {"num_labels", d.num_labels()},
                            {"layers", head_layers + 1},
                            {"activation_function", head_layers > 0 && h.activated ? json(activation_name(d.head.act)) : json()},
                            {"label2id", ids.empty() ? json() : json(ids)},
                            {"dropout_prob", nullptr}};
    if (!d.head.tokens)
      head_about["config"].update({{"use_pooler", h.trunk_pooler}, {"bias", true}});  // which a tagging head does not take
    if (h.hf_names) {
      if (d.sigmoid)
        throw config_error(a.tensors.path() + ": its head answers for several labels at once, which this form does not say of a " +
                           config.model_type);
      head_about["config"] = nullptr;
      head_about["num_labels"] = d.num_labels();
      head_about["label2id"] = ids.empty() ? json() : json(ids);
    }
    last_layers.write(files.staged_path("pytorch_model_head.bin"));
    write_file(files.staged_path("head_config.json"), head_about.dump(2) + "\n");
  }
  write_file(files.staged_path("adapter_config.json"), adapter_about.dump(2) + "\n");
  files.commit({"head_config.json", "adapter.safetensors", "pytorch_model_head.bin", "model_head.safetensors", "layer_norms.safetensors"});
}

}  // namespace graft
