#include "graft/io/hf_names.hpp"

#include <catch2/catch.hpp>

using graft::canonical_name;

TEST_CASE("names of every vintage become one form") {
  CHECK(canonical_name("roberta.encoder.layer.0.output.LayerNorm.weight", "roberta") == "roberta.encoder.layer.0.output.LayerNorm.weight");
  CHECK(canonical_name("encoder.layer.0.output.dense.bias", "roberta") == "roberta.encoder.layer.0.output.dense.bias");
  CHECK(canonical_name("embeddings.LayerNorm.gamma", "bert") == "bert.embeddings.LayerNorm.weight");
  CHECK(canonical_name("bert.encoder.layer.1.attention.output.LayerNorm.beta", "bert") ==
        "bert.encoder.layer.1.attention.output.LayerNorm.bias");
  CHECK(canonical_name("classifier.dense.weight", "roberta") == "classifier.dense.weight");
  CHECK(canonical_name("pooler.dense.weight", "bert") == "bert.pooler.dense.weight");
}

TEST_CASE("tensors without a use are left out") {
  for (const auto* name :
       {"lm_head.dense.weight", "lm_head.bias", "cls.predictions.bias", "roberta.embeddings.position_ids", "embeddings.position_ids",
        "roberta.embeddings.token_type_ids", "pooler.dense.weight", "roberta.pooler.dense.bias", "__pad.0"}) {
    INFO(name);
    CHECK(canonical_name(name, "roberta") == std::nullopt);
  }
}
