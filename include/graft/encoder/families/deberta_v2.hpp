#pragma once
// DeBERTa v2 and v3: attention to contents and distances apart, and no table of positions as a rule.

#include <string>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/families/family.hpp"

namespace graft::detail {

/// Source: transformers' models/deberta_v2.
inline model_family deberta_v2_family() {
  return {.name = "deberta-v2",
          .types = {{"deberta-v2", "DebertaV2"}},
          .names = {{"deberta-v2", "deberta"},
                    {"encoder.relative_positions", "encoder.rel_embeddings"},
                    {"encoder.relative_norm", "encoder.LayerNorm"},
                    {"attention.self.query", "attention.self.query_proj"},
                    {"attention.self.key", "attention.self.key_proj"},
                    {"attention.self.value", "attention.self.value_proj"},
                    {"classifier.dense", "pooler.dense"},
                    {"classifier.out_proj", "classifier"}},
          .other_heads = {"lm_predictions.", "mask_predictions."},
          .usual_config =
              [](json about, const std::string& path) {
                const auto expect = [&](const char* field, const json& usual, const json& only) {
                  const json value = about.value(field, usual);
                  if (value == only || value.is_null()) return;
                  throw format_error(
                      path, "\"" + std::string(field) + "\" is " + shown(value) + ", of a deberta-v2 only " + shown(only) + " is computed");
                };
                expect("relative_attention", false, true);
                expect("share_att_key", false, true);
                expect("conv_kernel_size", 0, 0);
                const json hidden = about.value("hidden_size", json(1536));
                expect("embedding_size", hidden, hidden);
                expect("pooler_hidden_size", hidden, hidden);
                if (!about.contains("hidden_size")) about["hidden_size"] = 1536;
                if (!about.contains("type_vocab_size")) about["type_vocab_size"] = 0;
                if (!about.contains("layer_norm_eps")) about["layer_norm_eps"] = 1e-7;
                if (about.contains("cls_dropout")) about["classifier_dropout"] = about["cls_dropout"];
                if (!about.contains("pooler_dropout")) about["pooler_dropout"] = 0.0;
                if (!about.contains("position_buckets")) about["position_buckets"] = -1;
                const json farthest = about.value("max_relative_positions", json(-1));
                if (farthest.is_number() && farthest < 1)
                  about["max_relative_positions"] = about.value("max_position_embeddings", json(512));
                return about;
              },
          .positions = position_kind::disentangled,
          .head_act = activation::gelu,
          .drops_head_input = false,
          .head_dropout_for_texts_only = true};
}

}  // namespace graft::detail
