#pragma once
// Which tensors, of which shapes, a trunk consists of.

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/core/types.hpp"
#include "graft/encoder/config.hpp"

namespace graft {

/// Name and shape of every tensor of the encoder that CONFIG describes, under its canonical Hugging Face name. A dense weight is
/// (outputs, inputs). BERT's pooler belongs to it; RoBERTa has none that is used.
std::map<std::string, std::vector<index>> trunk_tensors(const encoder_config& config);

/// Whether NAME is a tensor of the head's first layers where they come with the encoder: BERT's pooler, ModernBERT's head.dense and
/// head.norm.
inline bool is_pooler(const std::string& name) { return name.find(".pooler.") != name.npos; }

/// Whether NAME is a tensor of one of the encoder's layers.
inline bool is_layer_tensor(const std::string& name) { return name.find(".encoder.layer.") != name.npos; }

/// Whether MODEL, a tensor_source, brings a pooler: BERT's masked-LM pretraining leaves none.
template <class Source>
bool brings_pooler(const Source& model) {
  return std::any_of(model.tensors().begin(), model.tensors().end(), [](const auto& item) { return is_pooler(item.first); });
}

/// SHAPES, without a pooler where MODEL brings none.
template <class Source>
std::map<std::string, std::vector<index>> pooled_as(const Source& model, std::map<std::string, std::vector<index>> shapes) {
  if (!brings_pooler(model)) std::erase_if(shapes, [](const auto& item) { return is_pooler(item.first); });
  return shapes;
}

/// The tensors of the trunk MODEL: as above, without a pooler where it brings none.
template <class Source>
std::map<std::string, std::vector<index>> trunk_tensors(const encoder_config& config, const Source& model) {
  return pooled_as(model, trunk_tensors(config));
}

/// What the user should know of MODEL, a tensor_source, as an encoder that CONFIG describes: it holds tensors within the encoder for which
/// CONFIG has no place, weights that are zeros alone, or was exported with another configuration. What graft saved with a description of
/// its own is not looked at: what is tuned stands beside the encoder there.
/// @throws format_error  such a tensor says that the encoder computes something else: an adapter, a low-rank update, scales of quantized
/// weights
template <class Source>
std::vector<std::string> trunk_notes(const encoder_config& config, const Source& model) {
  std::vector<std::string> notes;
  if (model.metadata().contains("graft")) return notes;
  const auto trunk = trunk_tensors(config);
  std::size_t unused = 0;
  std::string first;
  for (const auto& [name, info] : model.tensors()) {
    const bool inside = name.starts_with(config.model_type + ".encoder.") || name.starts_with(config.model_type + ".embeddings.");
    if (!inside || trunk.contains(name)) continue;
    for (const char* sign : {"lora_", ".adapters.", "ia3_", "weight_scale", "quant"}) {
      if (name.find(sign) == name.npos) continue;
      throw format_error(model.path(), "holds '" + name +
                                           "', which changes what the encoder computes: save the encoder without it (an adapter beside "
                                           "it or merged into it, weights that are not quantized)");
    }
    if (unused++ == 0) first = name;
  }
  if (unused > 0) {
    notes.push_back(model.path() + ": holds " + std::to_string(unused) + " tensors of the encoder that its configuration (" +
                    std::to_string(config.num_hidden_layers) + " layers) has no place for, the first of them '" + first +
                    "': they are not used, as in transformers");
  }
  std::size_t empty = 0;
  for (const auto& [name, info] : model.tensors()) {
    const bool of_layer = trunk.contains(name) && is_layer_tensor(name);
    const bool of_head = name.starts_with("classifier.") || is_pooler(name);
    if (!name.ends_with(".weight") || (!of_layer && !of_head) || info.bytes.empty()) continue;
    if (std::ranges::any_of(info.bytes, [](std::byte one) { return one != std::byte{}; })) continue;
    if (empty++ == 0) first = name;
  }
  if (empty > 0) {
    notes.push_back(model.path() + ": holds " + std::to_string(empty) + " weights that are zeros alone, the first of them '" + first +
                    "': was its download broken off, which left room for the rest?");
  }
  if (const auto carried = model.metadata().find("config"); carried != model.metadata().end()) {
    const std::string where = model.path() + " (\"config\")";
    const json stored = to_json(parse_encoder_config(parse_json(carried->second, where), where)), given = to_json(config);
    for (const auto& [field, value] : stored.items()) {
      if (field.find("dropout") != field.npos || field == "named_type" || value == given[field]) continue;
      notes.push_back(model.path() + ": was exported with \"" + field + "\" " + shown(value) + ", the configuration given says " +
                      shown(given[field]) + ", which counts");
    }
  }
  return notes;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/encoder/trunk_tensors-inl.hpp"  // IWYU pragma: export
#endif
