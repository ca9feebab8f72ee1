#pragma once
// ModernBERT: normalizes first, turns queries and keys by their places, gates its feed-forward parts, and sees near tokens alone in most
// layers.

#include <string>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/families/family.hpp"

namespace graft::detail {

/// The two angles' bases in ABOUT, as either version of transformers writes them, become global_rope_theta and local_rope_theta.
/// @throws format_error  angles are not computed in the usual way
inline void read_rope(json& about, const std::string& path) {
  const auto usual_only = [&](const json& rope, const std::string& field) {
    if (rope.is_null()) return;
    if (!rope.is_object()) throw format_error(path, "\"" + field + "\" is " + shown(rope) + ", an object was expected");
    const json type = rope.value("rope_type", rope.value("type", json("default")));
    if (type == "default") return;
    throw format_error(path, "\"" + field + "\" has the \"rope_type\" " + shown(type) + ", of a modernbert only \"default\" is computed");
  };
  usual_only(about.value("rope_scaling", json()), "rope_scaling");
  const json given = about.value("rope_parameters", json());
  usual_only(given, "rope_parameters");
  for (const auto& [layers, field, usual] :
       {std::tuple("full_attention", "global_rope_theta", json(160'000.0)), {"sliding_attention", "local_rope_theta", json(10'000.0)}}) {
    const json rope = given.is_object() ? given.value(layers, json()) : json();
    usual_only(rope, layers);
    if (rope.is_object() && rope.contains("rope_theta")) about[field] = rope["rope_theta"];
    if (!about.contains(field)) about[field] = usual;
  }
  if (about["local_rope_theta"].is_null()) about["local_rope_theta"] = about["global_rope_theta"];
}

/// Source: transformers' models/modernbert.
inline model_family modernbert_family() {
  return {.name = "modernbert",
          .types = {{"modernbert", "ModernBert"}},
          .names = {{"modernbert.pooler", "head"},
                    {"modernbert", "model"},
                    {"embeddings.word_embeddings", "embeddings.tok_embeddings"},
                    {"embeddings.LayerNorm", "embeddings.norm"},
                    {"encoder.LayerNorm", "final_norm"},
                    {"encoder.layer", "layers"},
                    {"attention.self.query_key_value", "attn.Wqkv"},
                    {"attention.output.dense", "attn.Wo"},
                    {"attention.output.adapters", "attention_adapters.adapters"},
                    {"attention.LayerNorm", "attn_norm"},
                    {"intermediate.LayerNorm", "mlp_norm"},
                    {"intermediate.dense", "mlp.Wi"},
                    {"output.dense", "mlp.Wo"},
                    {"output.adapters", "output_adapters.adapters"}},
          .other_heads = {"decoder."},
          .usual_config =
              [](json about, const std::string& path) {
                static constexpr renamed_part fields[] = {{"layer_norm_eps", "norm_eps"},
                                                          {"hidden_act", "hidden_activation"},
                                                          {"pooler_hidden_act", "classifier_activation"},
                                                          {"hidden_dropout_prob", "embedding_dropout"},
                                                          {"attention_probs_dropout_prob", "attention_dropout"}};
                const json usual{{"vocab_size", 50'368},           {"hidden_size", 768},         {"num_hidden_layers", 22},
                                 {"num_attention_heads", 12},      {"intermediate_size", 1'152}, {"max_position_embeddings", 8'192},
                                 {"layer_norm_eps", 1e-5},         {"hidden_dropout_prob", 0.0}, {"attention_probs_dropout_prob", 0.0},
                                 {"classifier_dropout", 0.0},      {"mlp_dropout", 0.0},         {"local_attention", 128},
                                 {"global_attn_every_n_layers", 3}};
                for (const auto& [ours, theirs] : fields) {
                  if (about.contains(theirs)) about[std::string(ours)] = about[std::string(theirs)];
                }
                for (const auto& [field, value] : usual.items()) {
                  if (!about.contains(field)) about[field] = value;
                }
                about["type_vocab_size"] = 0;
                read_rope(about, path);
                return about;
              },
          .pad_token_id = 50'283,
          .positions = position_kind::rotary,
          .trunk_pooler = true,
          .head_act = activation::gelu,
          .drops_head_input = false,
          .pre_norm = true};
}

}  // namespace graft::detail
