#pragma once
// DistilBERT: no segments, no pooler, names of its own.

#include "graft/core/json.hpp"
#include "graft/encoder/families/family.hpp"

namespace graft::detail {

/// Source: transformers' models/distilbert.
inline model_family distilbert_family() {
  return {.name = "distilbert",
          .types = {{"distilbert", "DistilBert"}},
          .names = {{"encoder.layer", "transformer.layer"},
                    {"attention.self.query", "attention.q_lin"},
                    {"attention.self.key", "attention.k_lin"},
                    {"attention.self.value", "attention.v_lin"},
                    {"attention.self.prefix_tuning", "attention.prefix_tuning"},
                    {"attention.output.dense", "attention.out_lin"},
                    {"attention.output.LayerNorm", "sa_layer_norm"},
                    {"attention.output.adapters", "attention_adapters.adapters"},
                    {"intermediate.dense", "ffn.lin1"},
                    {"output.dense", "ffn.lin2"},
                    {"output.LayerNorm", "output_layer_norm"},
                    {"output.adapters", "output_adapters.adapters"},
                    {"classifier.dense", "pre_classifier"},
                    {"classifier.out_proj", "classifier"}},
          .other_heads = {"vocab_transform.", "vocab_layer_norm.", "vocab_projector."},
          .usual_config =
              [](json about, const std::string&) {
                static constexpr renamed_part fields[] = {{"hidden_size", "dim"},
                                                          {"num_hidden_layers", "n_layers"},
                                                          {"num_attention_heads", "n_heads"},
                                                          {"intermediate_size", "hidden_dim"},
                                                          {"hidden_dropout_prob", "dropout"},
                                                          {"attention_probs_dropout_prob", "attention_dropout"},
                                                          {"hidden_act", "activation"},
                                                          {"classifier_dropout", "seq_classif_dropout"}};
                const json usual{{"dim", 768}, {"n_layers", 6}, {"n_heads", 12}, {"hidden_dim", 3072}, {"seq_classif_dropout", 0.2}};
                for (const auto& [ours, theirs] : fields) {
                  const std::string name(theirs), graft_name(ours);
                  if (about.contains(name)) {
                    about[graft_name] = about[name];
                  } else if (usual.contains(name) && !about.contains(graft_name)) {
                    about[graft_name] = usual[name];
                  }
                }
                about["type_vocab_size"] = 0;
                about["layer_norm_eps"] = 1e-12;
                return about;
              },
          .drops_attention_output = false,
          .head_act = activation::relu,
          .drops_head_input = false,
          .head_dropout_for_texts_only = true,
          .vocabulary = "bert"};
}

}  // namespace graft::detail
