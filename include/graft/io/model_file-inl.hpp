#pragma once
// Bodies of graft/io/model_file.hpp.

#include <algorithm>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/weights.hpp"

namespace graft {

GRAFT_INLINE void write_model_file(const std::string& path, const tensor_source& model, const json& config, const std::string& source) {
  safetensors_writer writer(64);
  writer.metadata = {{"graft_format", std::string(model_file_version)}, {"config", config.dump()}, {"source", source}, {"format", "pt"}};
  for (const auto* field : {packed_version_field, packed_print_field, packed_sums_field}) {
    if (const auto found = model.metadata().find(field); found != model.metadata().end()) writer.metadata.insert(*found);
  }
  const model_family* family = config.is_object() ? family_of_type(config.value("model_type", std::string())) : nullptr;
  for (const auto& [name, info] : model.tensors()) {
    writer.copy(family == nullptr || is_packed_name(name) ? name : name_in_files(*family, name, names_token_head(config)), info);
  }
  writer.write(path);
}

GRAFT_INLINE tensor_source open_model(const std::string& path, std::string_view model_type) {
  const tensor_source stored = open_weights(path);
  const auto version = stored.metadata().find("graft_format");
  if (version != stored.metadata().end() && version->second != model_file_version) {
    throw format_error(path, "is a flat model file of version " + version->second + ", version " + std::string(model_file_version) +
                                 " was expected: export the model again");
  }
  tensor_source model(stored.path());
  model.set_metadata(stored.metadata());
  const name_prefix prefix(stored.tensors(), model_type, path);
  model.add_all(stored, [&](const std::string& name) { return is_packed_name(name) ? name : prefix.canonical(name); });
  return model;
}

GRAFT_INLINE json model_file_config(const std::string& path) {
  const tensor_source stored = open_weights(path);
  const auto config = stored.metadata().find("config");
  if (config == stored.metadata().end()) throw format_error(path, "carries no config", remedy{"config_path"});
  return parse_json(config->second, path + " (\"config\")");
}

GRAFT_INLINE std::string fingerprint(const tensor_source& model, const json& config,
                                     const std::map<std::string, std::vector<index>>& shapes) {
  model.expect(shapes);
  fnv1a hash;
  for (const auto* field : {"model_type", "num_attention_heads", "layer_norm_eps", "pad_token_id"}) {
    hash.add(required<json>(config, field, model.path()).dump());
    hash.add("\n");
  }
  for (const auto& [field, usual] : {std::pair<const char*, json>{"hidden_act", "gelu"},
                                     {"pos_att_type", json()},
                                     {"max_relative_positions", json()},
                                     {"pooler_hidden_act", json()},
                                     {"global_rope_theta", json()},
                                     {"local_rope_theta", json()},
                                     {"local_attention", json()},
                                     {"layer_types", json()},
                                     {"classifier_pooling", json()}}) {  // hashed where they were not always there
    if (const json value = config.value(field, usual); value != usual) hash.add(field + value.dump() + "\n");
  }
  for (const auto& [name, shape] : shapes) {
    hash.add(name + shape_text(shape));
    const auto& info = model.at(name);
    const std::size_t unit = dtype_size(info.type);
    const std::size_t sample = std::min<std::size_t>(info.bytes.size(), 1024 * unit);
    std::vector<float> values(sample / unit);
    for (const auto part : {info.bytes.first(sample), info.bytes.last(sample)}) {
      convert(info.type, part, dtype::f32, reinterpret_cast<std::byte*>(values.data()));
      hash.add(std::as_bytes(std::span(values)));
    }
  }
  return hash.text();
}

}  // namespace graft
