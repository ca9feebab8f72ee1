#pragma once
// ELECTRA: embeddings may be narrower than the layers, and its head has GELU.

#include "graft/core/json.hpp"
#include "graft/encoder/families/family.hpp"

namespace graft::detail {

/// Source: transformers' models/electra.
inline model_family electra_family() {
  return {.name = "electra",
          .types = {{"electra", "Electra"}},
          .names = {{"embeddings.project", "embeddings_project"}},
          .other_heads = {"discriminator_predictions.", "generator_predictions.", "generator_lm_head."},
          .usual_config =
              [](json about, const std::string&) {
                const json usual{{"embedding_size", 128}, {"hidden_size", 256}, {"num_attention_heads", 4}, {"intermediate_size", 1024}};
                for (const auto& [field, value] : usual.items()) {
                  if (!about.contains(field)) about[field] = value;
                }
                return about;
              },
          .has_embedding_size = true,
          .head_act = activation::gelu,
          .vocabulary = "bert"};
}

}  // namespace graft::detail
