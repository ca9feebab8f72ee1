#pragma once
// A tiny classifier and a task that it can learn.

#include <cstdint>

#include "graft/data/data_set.hpp"
#include "graft/encoder/config.hpp"
#include "graft/model/initialization.hpp"

namespace graft_test {

inline graft::encoder_config tiny_config() {
  graft::encoder_config c;
  c.model_type = "roberta";
  c.vocab_size = 30;
  c.hidden_size = 16;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 2;
  c.intermediate_size = 24;
  c.max_position_embeddings = 20;
  c.type_vocab_size = 1;
  c.layer_norm_eps = 1e-5;
  c.hidden_dropout_prob = 0.1;
  c.attention_probs_dropout_prob = 0.1;
  c.hidden_act = "gelu";
  c.pad_token_id = 1;
  return c;
}

/// Every weight and adapter of MODEL ~ N(0, 0.2^2).
template <class M>
void draw_weights(M& model) {
  model.for_each_parameter([](auto& p) {
    if (p.role == graft::parameter_role::weight || p.role == graft::parameter_role::adapter) graft::draw_normal(p, 0.2, 7);
  });
}

/// Rows whose label says whether token 5 occurs.
inline graft::data_set rows(std::size_t count, std::uint64_t seed) {
  graft::data_set set;
  for (std::size_t i = 0; i < count; ++i) {
    graft::features row;
    row.label = static_cast<std::int32_t>(graft::random_bits(seed, 0, i, 0) % 2);
    row.input_ids = {0};
    const std::uint64_t length = 3 + graft::random_bits(seed, 1, i, 0) % 8;
    for (std::uint64_t t = 0; t < length; ++t)
      row.input_ids.push_back(6 + static_cast<std::int32_t>(graft::random_bits(seed, 2, i, t) % 20));
    if (row.label == 1) row.input_ids[1 + graft::random_bits(seed, 3, i, 0) % length] = 5;
    row.input_ids.push_back(2);
    set.rows.push_back(row);
  }
  return set;
}

inline const graft::task& two_classes() {
  static const graft::task t = graft::custom_task("five", graft::task_kind::classification, {"no", "yes"});
  return t;
}

}  // namespace graft_test
