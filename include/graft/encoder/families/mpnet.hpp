#pragma once
// MPNet: RoBERTa's positions, no segments, and a bias of the attention by distance that all layers share.

#include "graft/core/json.hpp"
#include "graft/encoder/families/family.hpp"

namespace graft::detail {

/// Source: transformers' models/mpnet. The padding id of its embeddings and positions is 1, whatever config.json says.
inline model_family mpnet_family() {
  return {.name = "mpnet",
          .types = {{"mpnet", "MPNet"}},
          .names = {{"attention.self.query", "attention.attn.q"},
                    {"attention.self.key", "attention.attn.k"},
                    {"attention.self.value", "attention.attn.v"},
                    {"attention.output.dense", "attention.attn.o"},
                    {"attention.output.LayerNorm", "attention.LayerNorm"},
                    {"encoder.relative_positions", "encoder.relative_attention_bias"}},
          .usual_config =
              [](json about, const std::string&) {
                about["type_vocab_size"] = 0;
                about["pad_token_id"] = 1;
                if (!about.contains("vocab_size")) about["vocab_size"] = 30'527;
                if (!about.contains("hidden_size")) about["hidden_size"] = 768;
                if (!about.contains("relative_attention_num_buckets")) about["relative_attention_num_buckets"] = 32;
                about.erase("classifier_dropout");  // its head has the encoder's
                return about;
              },
          .pad_token_id = 1,
          .positions_after_padding = true,
          .positions = position_kind::relative_bias};
}

}  // namespace graft::detail
