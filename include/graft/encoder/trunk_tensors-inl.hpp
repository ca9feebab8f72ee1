#pragma once
// Bodies of graft/encoder/trunk_tensors.hpp.

#include "graft/core/compiled.hpp"
#include "graft/encoder/trunk_tensors.hpp"

namespace graft {

GRAFT_INLINE std::map<std::string, std::vector<index>> trunk_tensors(const encoder_config& config) {
  const index h = config.hidden_size;
  const index f = config.intermediate_size;
  std::map<std::string, std::vector<index>> shapes;
  const auto linear = [&](const std::string& name, index outputs, index inputs) {
    shapes[name + ".weight"] = {outputs, inputs};
    shapes[name + ".bias"] = {outputs};
  };
  const auto layer_norm = [&](const std::string& name) { shapes[name + ".weight"] = shapes[name + ".bias"] = {h}; };

  const std::string embeddings = config.model_type + ".embeddings.";
  shapes[embeddings + "word_embeddings.weight"] = {config.vocab_size, h};
  shapes[embeddings + "position_embeddings.weight"] = {config.max_position_embeddings, h};
  shapes[embeddings + "token_type_embeddings.weight"] = {config.type_vocab_size, h};
  layer_norm(embeddings + "LayerNorm");
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    const std::string layer = config.model_type + ".encoder.layer." + std::to_string(n) + ".";
    for (const auto* part : {"query", "key", "value"}) linear(layer + "attention.self." + part, h, h);
    linear(layer + "attention.output.dense", h, h);
    layer_norm(layer + "attention.output.LayerNorm");
    linear(layer + "intermediate.dense", f, h);
    linear(layer + "output.dense", h, f);
    layer_norm(layer + "output.LayerNorm");
  }
  if (config.model_type == "bert") linear("bert.pooler.dense", h, h);
  return shapes;
}

}  // namespace graft
