#pragma once
// Bodies of graft/encoder/trunk_tensors.hpp.

#include "graft/core/compiled.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/layers/relative_options.hpp"

namespace graft {

GRAFT_INLINE std::map<std::string, std::vector<index>> trunk_tensors(const encoder_config& config) {
  const index h = config.hidden_size;
  const index f = config.intermediate_size;
  std::map<std::string, std::vector<index>> shapes;
  const auto linear = [&](const std::string& name, index outputs, index inputs, bool biased = true) {
    shapes[name + ".weight"] = {outputs, inputs};
    if (biased) shapes[name + ".bias"] = {outputs};
  };
  const auto layer_norm = [&](const std::string& name, index size) {
    shapes[name + ".weight"] = {size};
    if (config.norm_bias) shapes[name + ".bias"] = {size};
  };
  const model_family& family = family_of(config.model_type);

  const std::string embeddings = config.model_type + ".embeddings.";
  const index width = config.embedding_width();
  shapes[embeddings + "word_embeddings.weight"] = {config.vocab_size, width};
  if (config.position_table) shapes[embeddings + "position_embeddings.weight"] = {config.max_position_embeddings, width};
  if (config.type_vocab_size > 0) shapes[embeddings + "token_type_embeddings.weight"] = {config.type_vocab_size, width};
  layer_norm(embeddings + "LayerNorm", width);
  if (width != h) linear(embeddings + "project", h, width);
  if (const auto o = relative_options_of(config)) {
    shapes[config.model_type + ".encoder.relative_positions.weight"] = {o->rows(), o->disentangled ? h : o->heads};
    if (o->normalized) layer_norm(config.model_type + ".encoder.relative_norm", h);
  }
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    const std::string layer = config.model_type + ".encoder.layer." + std::to_string(n) + ".";
    if (family.positions == position_kind::rotary) {
      linear(layer + "attention.self.query_key_value", 3 * h, h, config.attention_bias);
    } else {
      for (const auto* part : {"query", "key", "value"}) linear(layer + "attention.self." + part, h, h);
    }
    linear(layer + "attention.output.dense", h, h, config.attention_bias);
    linear(layer + "intermediate.dense", family.pre_norm ? 2 * f : f, h, config.mlp_bias);
    linear(layer + "output.dense", h, f, config.mlp_bias);
    if (family.pre_norm) {
      if (n > 0) layer_norm(layer + "attention.LayerNorm", h);
      layer_norm(layer + "intermediate.LayerNorm", h);
    } else {
      layer_norm(layer + "attention.output.LayerNorm", h);
      layer_norm(layer + "output.LayerNorm", h);
    }
  }
  if (family.pre_norm) layer_norm(config.model_type + ".encoder.LayerNorm", h);
  if (family.trunk_pooler) linear(config.model_type + ".pooler.dense", h, h, config.classifier_bias);
  if (family.trunk_pooler && family.pre_norm) layer_norm(config.model_type + ".pooler.norm", h);
  return shapes;
}

}  // namespace graft
