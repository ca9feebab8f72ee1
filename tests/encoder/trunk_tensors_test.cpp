#include "graft/encoder/trunk_tensors.hpp"

#include <catch2/catch.hpp>

TEST_CASE("a trunk has its embeddings, sixteen tensors a layer, and BERT's pooler") {
  graft::encoder_config config;
  config.model_type = "roberta";
  config.vocab_size = 50;
  config.hidden_size = 6;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 3;
  config.intermediate_size = 10;
  config.max_position_embeddings = 20;
  config.type_vocab_size = 1;
  auto shapes = graft::trunk_tensors(config);
  using shape = std::vector<graft::index>;
  CHECK(shapes.size() == 5 + 2 * 16);
  CHECK(shapes.at("roberta.embeddings.word_embeddings.weight") == shape{50, 6});
  CHECK(shapes.at("roberta.embeddings.position_embeddings.weight") == shape{20, 6});
  CHECK(shapes.at("roberta.embeddings.token_type_embeddings.weight") == shape{1, 6});
  CHECK(shapes.at("roberta.embeddings.LayerNorm.bias") == shape{6});
  CHECK(shapes.at("roberta.encoder.layer.1.attention.self.key.weight") == shape{6, 6});
  CHECK(shapes.at("roberta.encoder.layer.0.intermediate.dense.weight") == shape{10, 6});
  CHECK(shapes.at("roberta.encoder.layer.0.output.dense.weight") == shape{6, 10});
  CHECK(shapes.at("roberta.encoder.layer.0.output.dense.bias") == shape{6});
  config.model_type = "bert";
  shapes = graft::trunk_tensors(config);
  CHECK(shapes.size() == 5 + 2 * 16 + 2);
  CHECK(shapes.at("bert.pooler.dense.weight") == shape{6, 6});
}
