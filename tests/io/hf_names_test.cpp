#include "graft/io/hf_names.hpp"

#include <catch2/catch.hpp>
#include <map>

using graft::canonical_name;

TEST_CASE("names of every vintage become one form") {
  CHECK(canonical_name("roberta.encoder.layer.0.output.LayerNorm.weight", "roberta") == "roberta.encoder.layer.0.output.LayerNorm.weight");
  CHECK(canonical_name("encoder.layer.0.output.dense.bias", "roberta") == "roberta.encoder.layer.0.output.dense.bias");
  CHECK(canonical_name("embeddings.LayerNorm.gamma", "bert") == "bert.embeddings.LayerNorm.weight");
  CHECK(canonical_name("bert.encoder.layer.1.attention.output.LayerNorm.beta", "bert") ==
        "bert.encoder.layer.1.attention.output.LayerNorm.bias");
  CHECK(canonical_name("classifier.dense.weight", "roberta") == "classifier.dense.weight");
  CHECK(canonical_name("pooler.dense.weight", "bert") == "bert.pooler.dense.weight");
  CHECK(canonical_name("transformer.layer.3.attention.q_lin.weight", "distilbert") ==
        "distilbert.encoder.layer.3.attention.self.query.weight");
  CHECK(canonical_name("distilbert.transformer.layer.0.attention.out_lin.bias", "distilbert") ==
        "distilbert.encoder.layer.0.attention.output.dense.bias");
  CHECK(canonical_name("pre_classifier.weight", "distilbert") == "classifier.dense.weight");
  CHECK(canonical_name("classifier.weight", "distilbert") == "classifier.out_proj.weight");
  for (const char* ours : {"classifier.out_proj.weight", "classifier.dense.bias"}) CHECK(canonical_name(ours, "distilbert") == ours);
  CHECK(canonical_name("embeddings_project.bias", "electra") == "electra.embeddings.project.bias");
  CHECK(canonical_name("vocab_projector.bias", "distilbert") == std::nullopt);
  CHECK(canonical_name("mpnet.encoder.layer.0.attention.LayerNorm.weight", "mpnet") ==
        "mpnet.encoder.layer.0.attention.output.LayerNorm.weight");
  CHECK(canonical_name("pooler.dense.weight", "mpnet") == std::nullopt);
  CHECK(canonical_name("pooler.dense.weight", "deberta-v2") == "classifier.dense.weight");
  CHECK(canonical_name("deberta.encoder.LayerNorm.weight", "deberta-v2") == "deberta-v2.encoder.relative_norm.weight");
}

TEST_CASE("tensors without a use are left out") {
  for (const auto* name :
       {"lm_head.dense.weight", "lm_head.bias", "cls.predictions.bias", "roberta.embeddings.position_ids", "embeddings.position_ids",
        "roberta.embeddings.token_type_ids", "pooler.dense.weight", "roberta.pooler.dense.bias", "__pad.0"}) {
    INFO(name);
    CHECK(canonical_name(name, "roberta") == std::nullopt);
  }
}

namespace {

/// The canonical names of a file with the tensors NAMES.
std::vector<std::string> canonical(const std::vector<std::string>& names, const std::string& model_type) {
  std::map<std::string, int> all;
  for (const auto& name : names) all[name] = 0;
  const graft::name_prefix prefix(all, model_type, "f.bin");
  std::vector<std::string> found;
  for (const auto& name : names) found.push_back(prefix.canonical(name).value_or("-"));
  return found;
}

}  // namespace

TEST_CASE("what wrappers put before the names comes off, from the heads too") {
  using strings = std::vector<std::string>;
  const std::string table = "embeddings.word_embeddings.weight", layer = "encoder.layer.0.output.LayerNorm.gamma";
  const strings bare{"bert." + table, "bert.encoder.layer.0.output.LayerNorm.weight"};
  for (const std::string start :
       {"", "bert.", "module.", "module.bert.", "module._orig_mod.bert.", "_orig_mod.module.", "model.", "encoder.", "model.encoder.",
        "encoder.bert.", "module.model.encoder.bert.", "bert.model.", "roberta.bert."}) {
    INFO(start);
    CHECK(canonical({start + table, start + layer}, "bert") == bare);
  }
  CHECK(canonical({"module.roberta." + table, "module.classifier.dense.weight", "module.lm_head.bias", "classifier.out_proj.bias"},
                  "roberta") == strings{"roberta." + table, "classifier.dense.weight", "-", "classifier.out_proj.bias"});
  CHECK(canonical({"bert." + table, "pooler.dense.weight", layer, "bert.pooler.dense.bias", "classifier.bias"}, "bert") ==
        strings{"bert." + table, "-", "-", "bert.pooler.dense.bias", "classifier.bias"});
  // What is called like a part of the encoder and does not stand with the rest of it is no part of it.
  CHECK(canonical({"module.roberta." + table, "roberta." + layer, "module." + layer}, "roberta") == strings{"roberta." + table, "-", "-"});
}

TEST_CASE("unknown wrappers, the other family, and two encoders in one file are refused by name") {
  const std::string table = "embeddings.word_embeddings.weight";
  const auto refusal = [&](const std::vector<std::string>& names, const std::string& message) {
    CHECK_THROWS_WITH(canonical(names, "roberta"), Catch::StartsWith("f.bin: ") && Catch::Contains(message));
  };
  refusal({"net.backbone." + table}, "calls the encoder's tensors net.backbone.*, roberta.* was expected: rename them");
  refusal({"module.net." + table}, "module.net.*");
  refusal({"bert." + table}, "calls the encoder's tensors bert.*, roberta.* was expected by its config.json");
  refusal({"a.roberta." + table, "b.roberta." + table}, "holds several encoders, a.roberta." + table + " is one's and b.roberta." + table);
  refusal({table, "roberta." + table}, "holds several encoders");
}
