#pragma once
// Bodies of graft/exchange/adapter_file.hpp.

#include <algorithm>
#include <filesystem>

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/invertible_adapter.hpp"
#include "graft/adapters/kind_names.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/text_list.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/adapter_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/weights.hpp"
#include "graft/layers/attention_prefix.hpp"

namespace graft {

GRAFT_INLINE bool adapter_file::has_head() const { return description.num_labels() > 0; }

GRAFT_INLINE void check_of_trunk(const adapter_file& a, const tensor_source& trunk) {
  check_of_trunk(a, [&](const std::string& name) {
    if (!trunk.contains(name)) return false;
    return a.of_trunk.values<float>(name) == rounded_to(a.of_trunk.at(name).type, std::span<const float>(trunk.values<float>(name)));
  });
}

GRAFT_INLINE tensor_shapes detail::adapter_at(const std::string& prefix, index hidden_size, const adapter_options& o, site_location where) {
  tensor_shapes shapes;
  adapter_site<f32> site(prefix, "LayerNorm", hidden_size, 1, o, where);  // memory of its size, none of which is touched
  site.for_each_adapter_parameter([&](auto& p) { shapes[p.name] = p.shape(); });
  return shapes;
}

GRAFT_INLINE tensor_shapes detail::fusion_at(const std::string& prefix, index hidden_size, const std::vector<mixed_adapter>& fused,
                                             const fusion_options& o, site_location where) {
  tensor_shapes shapes;
  adapter_site<f32> site(prefix, "LayerNorm", hidden_size, 1, fused, o, where);
  site.for_each_adapter_parameter([&](auto& p) { shapes[p.name] = p.shape(); });
  return shapes;
}

GRAFT_INLINE tensor_shapes all_adapters(const encoder_config& config, const adapter_options& o) {
  check_adapter(o, "adapter_", config.num_hidden_layers);
  tensor_shapes shapes;
  detail::for_each_site(config, [&](const std::string& site, site_location where) {
    shapes.merge(detail::adapter_at(site + ".adapter", config.hidden_size, o, where));
  });
  if (auto made = make_invertible<f32>(config.model_type + ".embeddings.adapter", config.hidden_size, o)) {
    made->for_each_parameter([&](auto& p) { shapes[p.name] = p.shape(); });
  }
  return shapes;
}

GRAFT_INLINE tensor_shapes dense_layers(const encoder_config& config, index classes) {
  tensor_shapes shapes;
  const auto take = [&](const tensor_shapes& all, const std::string& start) {
    for (const auto& [name, shape] : all) {
      if (shape.size() == 2 && name.starts_with(start)) shapes[name.substr(0, name.rfind('.'))] = shape;
    }
  };
  take(trunk_tensors(config), config.model_type + ".encoder.");
  take(head_tensors(config, classes), "");
  return shapes;
}

namespace detail {

/// The gate of LAYER, which reads INPUTS numbers.
GRAFT_INLINE void add_gate(tensor_shapes& shapes, const std::string& layer, index inputs) {
  shapes[layer + tensor_names::lora_gate + ".weight"] = {1, inputs};
  shapes[layer + tensor_names::lora_gate + ".bias"] = {1};
}

}  // namespace detail

GRAFT_INLINE tensor_shapes lora_tensors(const encoder_config& config, const model_description& d, index classes) {
  tensor_shapes shapes;
  for (const auto& [layer, shape] : dense_layers(config, classes)) {
    if (!d.lora.updates(layer)) continue;
    const index r = d.lora.rank_of(layer);
    shapes[layer + tensor_names::lora_a] = {r, shape[1]};
    shapes[layer + tensor_names::lora_b] = {shape[0], r};
    if (d.lora.bias) shapes[layer + tensor_names::lora_b_bias] = {shape[0]};
    if (d.lora.dora) shapes[layer + tensor_names::lora_magnitude] = {shape[0]};
    if (d.lora.gates) detail::add_gate(shapes, layer, shape[1]);
  }
  return shapes;
}

GRAFT_INLINE tensor_shapes ia3_tensors(const encoder_config& config, const model_description& d, index classes) {
  tensor_shapes shapes;
  for (const auto& [layer, shape] : dense_layers(config, classes)) {
    if (!is_any_target(layer, d.ia3.targets)) continue;
    const bool inputs = is_any_target(layer, d.ia3.feed_forward);
    if (d.ia3.gates) detail::add_gate(shapes, layer, shape[1]);
    shapes[layer + tensor_names::ia3] = inputs ? std::vector<index>{1, shape[1]} : std::vector<index>{shape[0], 1};
  }
  return shapes;
}

GRAFT_INLINE tensor_shapes prefix_tensors(const encoder_config& config, const prefix_options& o) {
  tensor_shapes shapes;
  for (auto& prefix : make_prefixes<f32>(config.model_type, config.num_hidden_layers, config.hidden_size, o)) {
    if (prefix) prefix->for_each_parameter([&](auto& p) { shapes[p.name] = p.shape(); });
  }
  return shapes;
}

GRAFT_INLINE tensor_shapes mixed_tensors(const encoder_config& config, const mixed_adapter& a) {
  tensor_shapes alone, shapes;
  if (auto made = make_mixed_invertible<f32>(config.model_type, config.hidden_size, a)) {
    made->for_each_parameter([&](auto& p) { shapes[p.name] = p.shape(); });
  }
  model_description d;
  d.lora = a.lora;
  d.ia3 = a.ia3;
  if (a.kind == tuning_kind::lora) alone = lora_tensors(config, d, 1);
  if (a.kind == tuning_kind::ia3) alone = ia3_tensors(config, d, 1);
  if (a.kind == tuning_kind::prefix) alone = prefix_tensors(config, a.prefix);
  for (const auto& [name, shape] : alone) {
    std::size_t part = name.npos;
    for (const char* start : {".lora_", tensor_names::ia3, ".prefix."}) part = std::min(part, name.find(start));
    if (a.kind != tuning_kind::prefix && name.find(".layer.") == name.npos) continue;  // of the head
    const bool dora = name.ends_with(tensor_names::lora_magnitude);
    const std::string last = dora ? ".lora_scale" : name.substr(part);
    shapes[name.substr(0, part) + tensor_names::member + a.name + last] = dora ? std::vector<index>{shape[0], 1} : shape;
  }
  return shapes;
}

GRAFT_INLINE tensor_shapes layer_norm_tensors(const encoder_config& config) {
  tensor_shapes shapes = trunk_tensors(config);
  std::erase_if(shapes, [](const auto& item) { return item.first.find(".LayerNorm.") == std::string::npos; });
  return shapes;
}

GRAFT_INLINE tensor_shapes head_tensors(const encoder_config& config, index classes, const head_options& o) {
  const index h = config.hidden_size;
  const head_names head(config);
  tensor_shapes shapes{{head.out_proj + ".weight", {classes, h}}, {head.out_proj + ".bias", {classes}}};
  for (index i = 0; i < o.dense_layers; ++i) {
    shapes[head.dense_layer(i) + ".weight"] = {h, h};
    if (config.classifier_bias) shapes[head.dense_layer(i) + ".bias"] = {h};
  }
  for (const auto& [name, shape] : trunk_tensors(config)) {
    if (is_pooler(name) && o.dense_layers > 0) shapes[name] = shape;
  }
  return shapes;
}

GRAFT_INLINE void number_labels(model_description& d, index classes, const std::string& path) {
  if (classes < 1 || classes > 100'000) throw format_error(path, "has a head for " + std::to_string(classes) + " labels");
  d.output = classes == 1 ? task_kind::regression : task_kind::classification;
  d.labels_said = false;
  for (index i = 0; i < classes && classes > 1; ++i) d.labels.push_back(std::to_string(i));
}

GRAFT_INLINE index head_rows(const tensor_source& source, const encoder_config& config) {
  const tensor_info* out = source.find(head_names(config).out_proj + ".weight");
  return out == nullptr || out->shape.empty() ? 0 : out->shape[0];
}

namespace detail {

/// For how many classes the head is that an update D of HELD belongs to, be it in HELD or the encoder's own.
GRAFT_INLINE index updated_classes(const encoder_config& config, const model_description& d, const tensor_source& held) {
  if (d.num_labels() > 0) return d.num_labels();
  const std::string out = head_names(config).out_proj;
  for (const char* part : {".weight", ".bias", tensor_names::lora_b, tensor_names::ia3}) {
    if (const auto* info = held.find(out + part); info != nullptr && !info->shape.empty()) return info->shape[0];
  }
  return 1;
}

/// What HELD has beside updates: of the trunk, and of a head that is the encoder's own otherwise.
/// @throws format_error  D names what is none of these
GRAFT_INLINE tensor_shapes trained_trunk_shapes(const encoder_config& config, const model_description& d, const tensor_source& held) {
  tensor_shapes known = trunk_tensors(config), shapes;
  known.merge(head_tensors(config, updated_classes(config, d, held)));
  for (const std::string& name : d.modules_to_save) {
    const auto found = known.find(name);
    if (found == known.end()) throw format_error(held.path(), "says that '" + name + "' was trained, which the encoder does not have");
    shapes.insert(*found);
  }
  return shapes;
}

}  // namespace detail

GRAFT_INLINE tensor_shapes adapter_tensors(const encoder_config& config, const model_description& d, const tensor_source& held) {
  tensor_shapes shapes;
  if (d.kind == tuning_kind::adapter) shapes = all_adapters(config, d.adapter);
  if (d.kind == tuning_kind::lora) shapes = lora_tensors(config, d, detail::updated_classes(config, d, held));
  if (d.kind == tuning_kind::ia3) shapes = ia3_tensors(config, d, detail::updated_classes(config, d, held));
  if (d.kind == tuning_kind::prefix) shapes = prefix_tensors(config, d.prefix);
  if (d.kind == tuning_kind::full) shapes = trunk_tensors(config);
  if (d.kind == tuning_kind::multi_adapter) {
    for_each_mix_tensor(config, d, held.path(), [&](const std::string& name, const std::vector<index>& shape) {
      held.expect({{name, shape}});
      shapes[name] = shape;
    });
  }
  if (d.kind == tuning_kind::adapter && d.layer_norms_trained) shapes.merge(layer_norm_tensors(config));
  for (const auto& [name, shape] : detail::trained_trunk_shapes(config, d, held)) shapes[name] = shape;
  tensor_shapes head;
  if (d.num_labels() > 0) head = pooled_as(held, head_tensors(config, d.num_labels(), d.head));
  // BERT's first head layer is its pooler: what is left out of it stays as it is in the trunk.
  const bool part = d.kind == tuning_kind::lora || d.kind == tuning_kind::ia3;
  std::erase_if(head, [&](const auto& item) { return part && is_pooler(item.first) && !held.contains(item.first); });
  shapes.merge(head);
  return d.kind == tuning_kind::full ? pooled_as(held, std::move(shapes)) : shapes;
}

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE std::string replace_first(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  return at == text.npos ? text : text.replace(at, from.size(), to);
}

GRAFT_INLINE tensor_source open_first(const std::string& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string path = (std::filesystem::path(folder) / name).string();
    if (is_there(path)) return open_weights(path);
  }
  throw format_error(folder, "holds no weights: none of " + listed(names) + " is there");
}

GRAFT_INLINE void make_folder_of(const std::string& path) {
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) make_folder(folder.string());
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE void write_adapter(const std::string& path, const adapter_file& a) {
  safetensors_writer writer;
  writer.metadata = to_metadata(a.description);
  parse_description(writer.metadata, path);  // nothing goes out that would not come in again
  for (const auto& [name, info] : a.tensors.tensors()) writer.add(name, info.shape, info.type, info.bytes, info.type);
  detail::make_folder_of(path);
  writer.write(path);
}

}  // namespace graft
