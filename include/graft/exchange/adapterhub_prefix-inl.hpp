#pragma once
// Bodies of graft/exchange/adapterhub_prefix.hpp.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/range.hpp"
#include "graft/exchange/adapterhub_prefix.hpp"
#include "graft/exchange/config_fields.hpp"

namespace graft::detail {

GRAFT_INLINE bool is_adapterhub_prefix(const json& about) {
  const json config = about.value("config", json());
  return config == "prefix_tuning" || config == "prefix_tuning_flat" ||
         (config.is_object() && config.value("architecture", json()) == "prefix_tuning");
}

GRAFT_INLINE ordered_json prefix_configuration(const prefix_options& o) {
  return {{"architecture", "prefix_tuning"},
          {"encoder_prefix", true},
          {"cross_prefix", true},
          {"leave_out", o.leave_out},
          {"flat", o.bottleneck == 0},
          {"prefix_length", o.length},
          {"bottleneck_size", o.bottleneck == 0 ? prefix_options().bottleneck : o.bottleneck},
          {"non_linearity", activation_name(o.act)},
          {"dropout", 0.0},
          {"use_gating", o.gates > 0},
          {"shared_gating", o.gates < 2},
          {"init_weights_seed", nullptr}};
}

GRAFT_INLINE model_description describe_adapterhub_prefix(const json& about, const encoder_config& config, const std::string& path) {
  json fields = prefix_configuration({});
  const json given = about.at("config");
  if (given.is_object()) fields.update(given);
  if (given == "prefix_tuning_flat") fields["flat"] = true;
  check_fields(fields, {{"architecture", "prefix_tuning"}},
               {"encoder_prefix", "cross_prefix", "leave_out", "flat", "prefix_length", "bottleneck_size", "non_linearity", "dropout",
                "use_gating", "shared_gating", "init_weights_seed"},
               path);
  const auto within = [&](const char* field, const range& allowed) {
    const auto value = required<index>(fields, field, path);
    if (!allowed.contains(static_cast<double>(value))) {
      throw format_error(path, "\"" + std::string(field) + "\" is " + std::to_string(value) + ", " + allowed.text() + " was expected");
    }
    return value;
  };
  model_description d;
  d.kind = tuning_kind::prefix;
  d.task_name = required<std::string>(about, "name", path);
  d.layer_norms_trained = false;
  d.prefix.length = within("prefix_length", ranges::prefix_length);
  d.prefix.bottleneck = required<bool>(fields, "flat", path) ? 0 : within("bottleneck_size", ranges::adapter_size);
  if (d.prefix.bottleneck > 0) {
    try {
      d.prefix.act = parse_activation(required<std::string>(fields, "non_linearity", path));
    } catch (const config_error&) {
      throw format_error(path, "\"non_linearity\" is " + shown(fields["non_linearity"]) + ", which graft does not compute");
    }
  }
  if (required<bool>(fields, "use_gating", path)) d.prefix.gates = required<bool>(fields, "shared_gating", path) ? 1 : 2;
  const auto left_out = required<std::vector<index>>(fields, "leave_out", path);
  for (index l = 0; l < config.num_hidden_layers; ++l) {
    if (std::find(left_out.begin(), left_out.end(), l) != left_out.end()) d.prefix.leave_out.push_back(l);
  }
  if (std::ssize(d.prefix.leave_out) == config.num_hidden_layers)
    throw format_error(path, "\"leave_out\" names all layers: nothing is left");
  return d;
}

/// What both ways go along: the library's name of each tensor, and how graft's lie in it.
struct prefix_part {
  std::string ours, theirs;
  index row = 0, rows = 0;    // where graft's begins in theirs, as rows of WIDTH numbers, and how many there are
  index step = 1, width = 0;  // from row to row
};

struct prefix_layout {
  std::vector<prefix_part> parts;
  tensor_shapes theirs;
};

GRAFT_INLINE prefix_layout lay_out_prefix(const std::string& adapter, const encoder_config& config, const prefix_options& o) {
  const index h = config.hidden_size, b = o.bottleneck, layers = config.num_hidden_layers - std::ssize(o.leave_out);
  const std::string pool = config.model_type + ".prefix_tuning.prefix_tunings." + adapter + ".self_prefix.";
  const std::string down = pool + "control_trans.0.", up = pool + "control_trans.2.", shared = config.model_type + ".prefix.";
  prefix_layout l;
  if (b == 0) {
    l.theirs[pool + "control_trans"] = {o.length * layers * 2 * h};
  } else {
    l.theirs[pool + "wte.weight"] = {o.length, h};
    l.theirs[down + "weight"] = {b, h};
    l.theirs[down + "bias"] = {b};
    l.theirs[up + "weight"] = {layers * 2 * h, b};
    l.theirs[up + "bias"] = {layers * 2 * h};
    l.parts.push_back({shared + "embedding.weight", pool + "wte.weight", 0, o.length, 1, h});
    l.parts.push_back({shared + "down_project.weight", down + "weight", 0, b, 1, h});
    l.parts.push_back({shared + "down_project.bias", down + "bias", 0, 1, 1, b});
  }
  index prefixed = 0;
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    if (std::find(o.leave_out.begin(), o.leave_out.end(), n) != o.leave_out.end()) continue;
    const std::string attention = config.model_type + ".encoder.layer." + std::to_string(n) + ".attention.self.";
    const std::string ours = attention + "prefix.";
    if (b == 0) {
      l.parts.push_back({ours + "key_values", pool + "control_trans", prefixed, o.length, layers, 2 * h});
    } else {
      l.parts.push_back({ours + "up_project.weight", up + "weight", prefixed * 2 * h, 2 * h, 1, b});
      l.parts.push_back({ours + "up_project.bias", up + "bias", prefixed, 1, 1, 2 * h});
    }
    if (o.gates > 0) {
      const std::string gate = attention + "prefix_tuning.prefix_gates." + adapter;
      l.theirs[gate + ".weight"] = {o.gates, h};
      l.theirs[gate + ".bias"] = {o.gates};
      l.parts.push_back({ours + "gate.weight", gate + ".weight", 0, o.gates, 1, h});
      l.parts.push_back({ours + "gate.bias", gate + ".bias", 0, 1, 1, o.gates});
    }
    ++prefixed;
  }
  return l;
}

/// Memory of the size of SHAPE in numbers of TYPE, as a tensor NAME of SOURCE.
GRAFT_INLINE std::byte* add_empty(tensor_source& source, const std::string& name, dtype type, const std::vector<index>& shape) {
  index count = 1;
  for (const index size : shape) count *= size;
  const auto memory = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(count) * dtype_size(type));
  source.keep_alive(memory);
  source.add(name, {type, shape, *memory});
  return memory->data();
}

/// Calls F(where a row lies in graft's tensor, where in the library's, bytes) for every row of PART, in numbers of TYPE.
template <class F>
void for_each_prefix_row(const prefix_part& part, dtype type, F&& f) {
  const std::size_t row = static_cast<std::size_t>(part.width) * dtype_size(type);
  for (index i = 0; i < part.rows; ++i) f(static_cast<std::size_t>(i) * row, static_cast<std::size_t>(part.row + i * part.step) * row, row);
}

GRAFT_INLINE tensor_source prefix_from_adapterhub(const tensor_source& stored, const std::string& adapter, const encoder_config& config,
                                                  const prefix_options& o) {
  const prefix_layout layout = lay_out_prefix(adapter, config, o);
  tensor_source once(stored.path());
  std::vector<std::pair<std::string, std::string>> repeated;  // a layer's name, the one without it
  once.add_all(stored, [&](const std::string& name) -> std::optional<std::string> {
    const auto layer = name.find(".encoder.layer."), pool = name.find(".attention.self.prefix_tuning.pool.");
    if (layer == name.npos || pool == name.npos) return name;
    repeated.emplace_back(name, name.substr(0, layer) + ".prefix_tuning." + name.substr(name.find(".pool.") + 6));
    return std::nullopt;
  });
  for (const auto& [name, whole] : repeated) {
    const tensor_info& info = stored.at(name);
    const tensor_info* other = once.find(whole);
    if (other == nullptr) {
      once.add(whole, info);
    } else if (info.type != other->type || info.shape != other->shape ||
               !std::equal(info.bytes.begin(), info.bytes.end(), other->bytes.begin())) {
      throw format_error(stored.path(), "tensor '" + name + "' differs from '" + whole + "', which it repeats");
    }
  }
  const tensor_source theirs = take_tensors(once, layout.theirs);
  tensor_source ours(stored.path());
  const tensor_shapes shapes = prefix_tensors(config, o);
  for (const prefix_part& part : layout.parts) {
    const tensor_info& info = theirs.at(part.theirs);
    std::byte* to = add_empty(ours, part.ours, info.type, shapes.at(part.ours));
    for_each_prefix_row(part, info.type, [&](std::size_t mine, std::size_t at, std::size_t bytes) {
      std::memcpy(to + mine, info.bytes.data() + at, bytes);
    });
  }
  return ours;
}

GRAFT_INLINE tensor_source prefix_to_adapterhub(const tensor_source& ours, const std::string& adapter, const encoder_config& config,
                                                const prefix_options& o) {
  const prefix_layout layout = lay_out_prefix(adapter, config, o);
  tensor_source theirs(ours.path());
  std::map<std::string, std::byte*> memory;
  for (const prefix_part& part : layout.parts) {
    const tensor_info& info = ours.at(part.ours);
    if (!memory.contains(part.theirs)) memory[part.theirs] = add_empty(theirs, part.theirs, info.type, layout.theirs.at(part.theirs));
    if (theirs.at(part.theirs).type != info.type) {
      throw format_error(ours.path(), "tensor '" + part.ours + "' holds " + std::string(dtype_name(info.type)) +
                                          ", its like in other layers " + std::string(dtype_name(theirs.at(part.theirs).type)));
    }
    for_each_prefix_row(part, info.type, [&](std::size_t mine, std::size_t at, std::size_t bytes) {
      std::memcpy(memory[part.theirs] + at, info.bytes.data() + mine, bytes);
    });
  }
  const std::string pool = config.model_type + ".prefix_tuning.";
  tensor_source all = theirs;
  for (const auto& [name, info] : theirs.tensors()) {  // every layer repeats them, those that are left out, too
    if (!name.starts_with(pool)) continue;
    for (index n = 0; n < config.num_hidden_layers; ++n) {
      all.add(config.model_type + ".encoder.layer." + std::to_string(n) + ".attention.self.prefix_tuning.pool." + name.substr(pool.size()),
              info);
    }
  }
  return all;
}

}  // namespace graft::detail
