#include "graft/encoder/trunk_tensors.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "graft/io/tensor_source.hpp"

namespace {

graft::encoder_config two_layers(const std::string& type, graft::index segments) {
  graft::encoder_config config;
  config.model_type = type;
  config.vocab_size = 50;
  config.hidden_size = 6;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 3;
  config.intermediate_size = 10;
  config.max_position_embeddings = 20;
  config.type_vocab_size = segments;
  return config;
}

}  // namespace

TEST_CASE("a trunk has its embeddings, sixteen tensors a layer, and BERT's pooler") {
  auto config = two_layers("roberta", 1);
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

TEST_CASE("families lack what they lack, and have what is their own") {
  const auto distilbert = graft::trunk_tensors(two_layers("distilbert", 0));
  CHECK(distilbert.size() == 4 + 2 * 16);
  CHECK_FALSE(distilbert.contains("distilbert.embeddings.token_type_embeddings.weight"));
  auto config = two_layers("electra", 2);
  config.embedding_size = 4;
  const auto electra = graft::trunk_tensors(config);
  using shape = std::vector<graft::index>;
  CHECK(electra.size() == 7 + 2 * 16);
  CHECK(electra.at("electra.embeddings.token_type_embeddings.weight") == shape{2, 4});
  CHECK(electra.at("electra.embeddings.project.weight") == shape{6, 4});
  config = two_layers("mpnet", 0);
  config.relative_buckets = 8;
  CHECK(graft::trunk_tensors(config).at("mpnet.encoder.relative_positions.weight") == shape{8, 3});
  config = two_layers("deberta-v2", 0);
  config.max_relative_positions = 16;
  config.distances_normalized = true;
  CHECK(graft::trunk_tensors(config).at("deberta-v2.encoder.relative_positions.weight") == shape{32, 6});
  CHECK(graft::trunk_tensors(config).at("deberta-v2.encoder.relative_norm.bias") == shape{6});
  config = two_layers("modernbert", 0);
  config.attention_bias = config.mlp_bias = config.norm_bias = config.classifier_bias = config.position_table = false;
  const auto modern = graft::trunk_tensors(config);
  CHECK(modern.at("modernbert.encoder.layer.1.attention.self.query_key_value.weight") == shape{18, 6});
  CHECK(modern.at("modernbert.encoder.layer.1.intermediate.dense.weight") ==
        shape{2 * modern.at("modernbert.encoder.layer.1.output.dense.weight")[1], 6});
  CHECK_FALSE(modern.contains("modernbert.encoder.layer.0.attention.LayerNorm.weight"));  // the embeddings' is just below
  CHECK(modern.contains("modernbert.encoder.layer.1.attention.LayerNorm.weight"));
  CHECK(modern.contains("modernbert.pooler.norm.weight"));
  CHECK(std::none_of(modern.begin(), modern.end(), [](const auto& item) { return item.first.ends_with(".bias"); }));
}

TEST_CASE("what lies in an encoder and has no place in it is noted, or refused where it changes what is computed") {
  auto config = two_layers("bert", 2);
  config.layer_norm_eps = 1e-5;
  config.hidden_act = "gelu";
  graft::tensor_source model("m");
  for (const auto& [name, shape] : graft::trunk_tensors(config)) model.add(name, {});
  model.add("classifier.weight", {});
  CHECK(graft::trunk_notes(config, model).empty());
  model.set_metadata({{"config", graft::to_json(config).dump()}});
  CHECK(graft::trunk_notes(config, model).empty());

  config.num_hidden_layers = 1;
  config.layer_norm_eps = 1e-12;
  config.hidden_dropout_prob = 0.5;
  const auto notes = graft::trunk_notes(config, model);
  REQUIRE(notes.size() == 3);
  CHECK(notes[0] ==
        "m: holds 16 tensors of the encoder that its configuration (1 layers) has no place for, the first of them "
        "'bert.encoder.layer.1.attention.output.LayerNorm.bias': they are not used, as in transformers");
  CHECK(notes[1] == "m: was exported with \"layer_norm_eps\" 1e-05, the configuration given says 1e-12, which counts");
  for (const char* name : {"attention.self.query.lora_A", "output.adapters.rte.adapter_up.weight", "attention.self.query.weight_scale"}) {
    graft::tensor_source other = model;
    other.add(std::string("bert.encoder.layer.0.") + name, {});
    CHECK_THROWS_WITH(graft::trunk_notes(config, other),
                      Catch::StartsWith("m: holds 'bert.encoder.layer.0." + std::string(name) + "', which changes what"));
    other.set_metadata({{"graft", "{}"}});
    CHECK(graft::trunk_notes(config, other).empty());
  }

  std::vector<std::byte> bytes(64);  // a file of its size, without what comes at its end
  graft::tensor_source half("m");
  for (const char* name : {"0.output.dense.bias", "0.output.dense.weight", "0.output.LayerNorm.weight"})
    half.add(std::string("bert.encoder.layer.") + name, {graft::dtype::f32, {16}, bytes});
  CHECK(graft::trunk_notes(config, half) ==
        std::vector<std::string>{
            "m: holds 2 weights that are zeros alone, the first of them 'bert.encoder.layer.0.output.LayerNorm.weight': was "
            "its download broken off, which left room for the rest?"});
  bytes[63] = std::byte{1};
  CHECK(graft::trunk_notes(config, half).empty());
}
