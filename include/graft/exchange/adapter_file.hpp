#pragma once
// One adapter, whichever file it came from: what it is, and its tensors under graft's names.

#include <concepts>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/encoder/trunk_tensors.hpp"
#include "graft/io/weights.hpp"
#include "graft/model/description.hpp"

namespace graft {

/// An adapter, a low-rank update or whatever else was tuned. Without a head its description has no labels: it cannot answer alone.
struct adapter_file {
  model_description description;
  tensor_source tensors;
  tensor_source of_trunk{tensors.path()};  // what the file repeats of the encoder: to be the same there, see check_of_trunk

  bool has_head() const { return description.num_labels() > 0; }
};

/// Compares what A repeats of the encoder with it. SAME(name) says whether the encoder's tensor of that name holds the same values.
/// @throws format_error  one does not: A was trained with a part of the encoder that an adapter cannot hold
template <std::predicate<const std::string&> Same>
void check_of_trunk(const adapter_file& a, Same&& same) {
  for (const auto& [name, info] : a.of_trunk.tensors()) {
    if (same(name)) continue;
    throw format_error(a.of_trunk.path(), "holds '" + name + "' with other values than the encoder's: it belongs to another encoder, or was trained "
                                          "with a part of it that graft's adapters do not hold; give the --model_path that has these values");
  }
}
inline void check_of_trunk(const adapter_file& a, const tensor_source& trunk) {
  check_of_trunk(a, [&](const std::string& name) { return trunk.contains(name) && a.of_trunk.values<float>(name) == trunk.values<float>(name); });
}

using tensor_shapes = std::map<std::string, std::vector<index>>;

/// Adapters of D in an encoder with CONFIG: down_project.weight (K, H), up_project.weight (H, K), biases.
inline tensor_shapes bottleneck_tensors(const encoder_config& config, const model_description& d) {
  const index h = config.hidden_size, k = d.adapter_size;
  tensor_shapes shapes;
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    for (const std::string site : {"attention.output", "output"}) {
      if (place_at(d.placement, site == "output") == adapter_place::none) continue;
      const std::string prefix = config.model_type + ".encoder.layer." + std::to_string(n) + "." + site + ".adapter.";
      shapes[prefix + "down_project.weight"] = {k, h};
      shapes[prefix + "down_project.bias"] = {k};
      shapes[prefix + "up_project.weight"] = {h, k};
      shapes[prefix + "up_project.bias"] = {h};
    }
  }
  return shapes;
}

/// The dense layers of the encoder, without ".weight", and the shapes of their weights: what can get a low-rank update.
inline tensor_shapes dense_layers(const encoder_config& config) {
  tensor_shapes shapes;
  for (const auto& [name, shape] : trunk_tensors(config)) {
    if (shape.size() == 2 && name.starts_with(config.model_type + ".encoder.")) shapes[name.substr(0, name.rfind('.'))] = shape;
  }
  return shapes;
}

/// Low-rank updates of D: lora_A.weight (r, inputs), lora_B.weight (outputs, r).
inline tensor_shapes lora_tensors(const encoder_config& config, const model_description& d) {
  tensor_shapes shapes;
  for (const auto& [layer, shape] : dense_layers(config)) {
    for (const std::string& target : d.lora.targets) {
      if (!is_target(layer, target)) continue;
      shapes[layer + ".lora_A.weight"] = {d.lora.r, shape[1]};
      shapes[layer + ".lora_B.weight"] = {shape[0], d.lora.r};
    }
  }
  return shapes;
}

/// Every LayerNorm of the encoder, the embeddings' too.
inline tensor_shapes layer_norm_tensors(const encoder_config& config) {
  tensor_shapes shapes = trunk_tensors(config);
  std::erase_if(shapes, [](const auto& item) { return item.first.find(".LayerNorm.") == std::string::npos; });
  return shapes;
}

/// The layers of the head: the first, whose answer goes through tanh, and the last, with a row a label.
struct head_names {
  explicit head_names(const encoder_config& config)
      : dense(config.model_type == "bert" ? "bert.pooler.dense" : "classifier.dense"),
        out_proj(config.model_type == "bert" ? "classifier" : "classifier.out_proj") {}
  std::string dense, out_proj;
};

inline tensor_shapes head_tensors(const encoder_config& config, index classes) {
  const index h = config.hidden_size;
  const head_names head(config);
  return {{head.dense + ".weight", {h, h}},
          {head.dense + ".bias", {h}},
          {head.out_proj + ".weight", {classes, h}},
          {head.out_proj + ".bias", {classes}}};
}

/// Takes the labels of a head with CLASSES rows, which came from PATH, to be called 0, 1, ...; one row is a regression.
/// @throws format_error  no row, or more than any head has
inline void number_labels(model_description& d, index classes, const std::string& path) {
  if (classes < 1 || classes > 100'000) throw format_error(path, "has a head for " + std::to_string(classes) + " labels");
  d.output = classes == 1 ? task_kind::regression : task_kind::classification;
  d.labels_said = false;
  for (index i = 0; i < classes && classes > 1; ++i) d.labels.push_back(std::to_string(i));
}

/// The rows of the head among the tensors of SOURCE, under graft's names; 0 without one.
inline index head_rows(const tensor_source& source, const encoder_config& config) {
  const tensor_info* out = source.find(head_names(config).out_proj + ".weight");
  return out == nullptr || out->shape.empty() ? 0 : out->shape[0];
}

/// The tensors of STORED under graft's names. SHAPES has those, and THEIRS(one of them) is what the file calls it.
/// @throws format_error  a tensor is missing, has another shape or no floating-point numbers, or is none of these
template <class Theirs>
tensor_source take_tensors(const tensor_source& stored, const tensor_shapes& shapes, Theirs&& theirs) {
  tensor_shapes expected;
  std::map<std::string, std::string> ours;
  for (const auto& [name, shape] : shapes) {
    const std::string their_name = theirs(name);
    expected[their_name] = shape;
    ours[their_name] = name;
  }
  stored.expect(expected);
  for (const auto& [name, shape] : expected) stored.check_finite(name);
  tensor_source result(stored.path());
  result.add_all(stored, [&](const std::string& name) -> std::optional<std::string> {
    if (name.starts_with("__pad.")) return std::nullopt;
    const tensor_info& info = stored.at(name);
    const auto found = ours.find(name);
    if (found == ours.end()) {
      throw format_error(stored.path(), "holds tensor '" + name + "' of shape " + shape_text(info.shape) +
                                            ", which graft has no use for in such an adapter");
    }
    if (!is_floating_point(info.type))
      throw format_error(stored.path(), "tensor '" + name + "' holds " + std::string(dtype_name(info.type)));
    return found->second;
  });
  return result;
}

/// Calls F(name, shape) for every tensor of a mix as D describes it, its head's left out: adapter after adapter, so that an F that refuses what
/// is not there ends a long list that nothing stands behind.
/// @throws format_error  PATH, which D came from, promises sets of mixing weights that these layers cannot be cut into
template <class F>
void for_each_mix_tensor(const encoder_config& config, const model_description& d, const std::string& path, F&& f) {
  const index h = config.hidden_size, layers = config.num_hidden_layers;
  const index sets = d.num_weight_sets == -1 ? layers : d.num_weight_sets;
  if (sets < 1 || layers % sets != 0 || d.mix.count() < 1) {
    throw format_error(path, "says that it is a mix of " + std::to_string(d.mix.count()) + " with \"num_weight_sets\" " +
                                 std::to_string(d.num_weight_sets) + ", which an encoder of " + std::to_string(layers) + " layers cannot be");
  }
  const auto site_prefix = [&](index layer, const std::string& site) {
    return config.model_type + ".encoder.layer." + std::to_string(layer) + "." + site + ".multi_adapter.";
  };
  const auto branch = [&](const std::string& name, index size, adapter_placement placement) {
    for (index n = 0; n < layers; ++n) {
      for (const std::string site : {"attention.output", "output"}) {
        const std::string prefix = site_prefix(n, site), adapter = prefix + "adapter_dict." + name + ".";
        if (size > 0 && place_at(placement, site == "output") != adapter_place::none) {
          f(adapter + "down_project.weight", std::vector<index>{size, h});
          f(adapter + "down_project.bias", std::vector<index>{size});
          f(adapter + "up_project.weight", std::vector<index>{h, size});
          f(adapter + "up_project.bias", std::vector<index>{h});
        }
        f(prefix + "layer_norm_dict." + name + ".weight", std::vector<index>{h});
        f(prefix + "layer_norm_dict." + name + ".bias", std::vector<index>{h});
      }
    }
  };
  for (const mixed_adapter& a : d.mix.adapters) branch(a.name, a.size, a.placement);
  if (d.mix.include_base) branch("base", 0, adapter_placement::houlsby);
  if (d.mix.include_flex) branch("flex", d.mix.flex_size, adapter_placement::houlsby);
  for (index n = 0; n < layers; n += layers / sets) f(site_prefix(n, "attention.output") + "weighted_sum.weights", std::vector<index>{d.mix.count()});
}

/// All that an adapter, or whatever else D describes, consists of; HELD is where it comes from.
/// @throws format_error  D is a mix that HELD lacks tensors of
inline tensor_shapes adapter_tensors(const encoder_config& config, const model_description& d, const tensor_source& held) {
  tensor_shapes shapes;
  if (d.kind == "adapter") shapes = bottleneck_tensors(config, d);
  if (d.kind == "lora") shapes = lora_tensors(config, d);
  if (d.kind == "full") shapes = trunk_tensors(config);
  if (d.kind == "multi_adapter") {
    for_each_mix_tensor(config, d, held.path(), [&](const std::string& name, const std::vector<index>& shape) {
      held.expect({{name, shape}});
      shapes[name] = shape;
    });
  }
  if (d.kind == "adapter" && d.layer_norms_trained) shapes.merge(layer_norm_tensors(config));
  if (d.num_labels() > 0) shapes.merge(head_tensors(config, d.num_labels()));
  // BERT's first head layer is its pooler: where it is left out, the trunk's stays as it is.
  if (config.model_type == "bert" && !held.contains("bert.pooler.dense.weight")) {
    shapes.erase("bert.pooler.dense.weight");
    shapes.erase("bert.pooler.dense.bias");
  }
  return shapes;
}

namespace detail {

/// TEXT with the first FROM in it replaced by TO.
inline std::string replace_first(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  return at == text.npos ? text : text.replace(at, from.size(), to);
}

/// The weights in FOLDER under the first of NAMES that is there.
inline tensor_source open_first(const std::string& folder, const std::vector<std::string>& names) {
  std::string tried;
  for (const std::string& name : names) {
    const std::string path = (std::filesystem::path(folder) / name).string();
    if (is_there(path)) return open_weights(path);
    tried += (tried.empty() ? "" : ", ") + name;
  }
  throw format_error(folder, "holds no weights: none of " + tried + " is there");
}

/// The folder that PATH lies in, made if need be.
inline void make_folder_of(const std::string& path) {
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) make_folder(folder.string());
}

}  // namespace detail

/// Writes A to PATH as graft saves an adapter; the folder is made if need be.
/// @throws format_error   as parse_description: what A says of itself could not be read back
/// @throws backend_error  as safetensors_writer::write
inline void write_adapter(const std::string& path, const adapter_file& a) {
  safetensors_writer writer;
  writer.metadata = to_metadata(a.description);
  parse_description(writer.metadata, path);  // nothing goes out that would not come in again
  for (const auto& [name, info] : a.tensors.tensors()) writer.add(name, info.shape, info.type, info.bytes, info.type);
  detail::make_folder_of(path);
  writer.write(path);
}

}  // namespace graft
