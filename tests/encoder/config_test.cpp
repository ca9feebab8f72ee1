#include "graft/encoder/config.hpp"

#include <catch2/catch.hpp>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "support/shared.hpp"

namespace {

graft::json roberta_json() {
  return graft::json::parse(R"({"model_type": "roberta", "vocab_size": 100, "hidden_size": 12, "num_hidden_layers": 2,
    "num_attention_heads": 3, "intermediate_size": 20, "max_position_embeddings": 18, "type_vocab_size": 1,
    "layer_norm_eps": 1e-5, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.2, "hidden_act": "gelu", "pad_token_id": 1})");
}

std::string refusal(const std::string& field, const graft::json& value) {
  auto object = roberta_json();
  object[field] = value;
  try {
    graft::parse_encoder_config(object, "c.json");
  } catch (const graft::format_error& failure) {
    return failure.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a config is read field by field and written back") {
  const auto config = graft::parse_encoder_config(roberta_json(), "c.json");
  CHECK(config.model_type == "roberta");
  CHECK(config.vocab_size == 100);
  CHECK(config.hidden_size == 12);
  CHECK(config.num_hidden_layers == 2);
  CHECK(config.num_attention_heads == 3);
  CHECK(config.intermediate_size == 20);
  CHECK(config.max_position_embeddings == 18);
  CHECK(config.max_sequence_length() == 16);
  CHECK(config.type_vocab_size == 1);
  CHECK(config.layer_norm_eps == 1e-5);
  CHECK(config.hidden_dropout_prob == 0.1);
  CHECK(config.attention_probs_dropout_prob == 0.2);
  CHECK(config.hidden_act == "gelu");
  CHECK(config.pad_token_id == 1);
  CHECK(graft::to_json(config) == roberta_json());
  CHECK(graft::parse_encoder_config(graft::to_json(config), "c.json") == config);
  auto with_null = roberta_json(), with_own = with_null;
  with_null["classifier_dropout"] = nullptr;
  CHECK(graft::parse_encoder_config(with_null, "c.json") == config);
  with_own["classifier_dropout"] = 0.25;
  CHECK(graft::to_json(graft::parse_encoder_config(with_own, "c.json")) == with_own);
  CHECK(refusal("classifier_dropout", 1) == "c.json: \"classifier_dropout\" is 1, a number from 0 to less than 1 was expected");
}

TEST_CASE("a config from before model_type existed takes the defaults of its kind") {
  auto object = roberta_json();
  for (const auto* field : {"model_type", "layer_norm_eps", "hidden_dropout_prob", "hidden_act", "pad_token_id"}) object.erase(field);
  CHECK_THROWS_WITH(graft::parse_encoder_config(object, "c.json"), Catch::Contains("c.json: has no \"model_type\""));
  object["architectures"] = {"BertForMaskedLM"};
  const auto bert = graft::parse_encoder_config(object, "c.json");
  CHECK(bert.model_type == "bert");
  CHECK(bert.layer_norm_eps == 1e-12);
  CHECK(bert.pad_token_id == 0);
  CHECK(bert.max_sequence_length() == 18);
  object["architectures"] = {"RobertaForMaskedLM"};
  const auto roberta = graft::parse_encoder_config(object, "c.json");
  CHECK(roberta.model_type == "roberta");
  CHECK(roberta.layer_norm_eps == 1e-12);
  CHECK(roberta.hidden_dropout_prob == 0.1);
  CHECK(roberta.pad_token_id == 1);
  object["model_type"] = "xlm-roberta";
  CHECK(graft::parse_encoder_config(object, "c.json") == roberta);
  object["hidden_act"] = "gelu_python";
  CHECK(graft::parse_encoder_config(object, "c.json") == roberta);
}

TEST_CASE("sizes that a config leaves out are those of transformers") {
  const auto c = graft::parse_encoder_config({{"model_type", "bert"}, {"vocab_size", 100}, {"hidden_size", 24}}, "c.json");
  CHECK(c.num_hidden_layers == 12);
  CHECK(c.num_attention_heads == 12);
  CHECK(c.intermediate_size == 3072);
  CHECK(c.max_position_embeddings == 512);
  CHECK(c.type_vocab_size == 2);
  CHECK_THROWS_WITH(graft::parse_encoder_config({{"model_type", "bert"}, {"hidden_size", 24}}, "c.json"), "c.json: has no \"vocab_size\"");
}

TEST_CASE("a config that graft cannot compute is refused by file and field") {
  CHECK(refusal("model_type", "gpt2") == "c.json: \"model_type\" is \"gpt2\", \"roberta\" or \"bert\" was expected");
  CHECK(refusal("hidden_act", "gelu_new") == "c.json: \"hidden_act\" is \"gelu_new\", only \"gelu\" (the erf form) is computed");
  CHECK_THAT(refusal("is_decoder", true), Catch::Contains("\"is_decoder\" is true: only encoders are computed"));
  CHECK_THAT(refusal("add_cross_attention", true), Catch::Contains("\"add_cross_attention\" is true"));
  CHECK_THAT(refusal("position_embedding_type", "relative_key"), Catch::Contains("\"relative_key\", only \"absolute\""));
  CHECK(refusal("num_attention_heads", 5) == "c.json: \"hidden_size\" is 12, a multiple of \"num_attention_heads\" (5) was expected");
  CHECK_THAT(refusal("max_position_embeddings", 2), Catch::Contains("\"max_position_embeddings\" is 2, more than"));
  for (const auto& value : {graft::json(0), graft::json(-1), graft::json(1.5), graft::json("7"), graft::json(true),
                            graft::json(18446744073709551615ULL), graft::json(std::int64_t{1} << 40), graft::json(nullptr)}) {
    CHECK_THAT(refusal("vocab_size", value), Catch::StartsWith("c.json: \"vocab_size\" is " + value.dump()));
  }
  for (const auto& value : {graft::json(-0.1), graft::json(1), graft::json("no")}) {
    CHECK_THAT(refusal("hidden_dropout_prob", value), Catch::StartsWith("c.json: \"hidden_dropout_prob\" is " + value.dump()));
  }
  CHECK_THAT(refusal("layer_norm_eps", 0), Catch::Contains("greater than 0"));
  CHECK_THAT(refusal("pad_token_id", 100), Catch::Contains("from 0 to 99"));
  CHECK_THROWS_WITH(graft::parse_encoder_config(graft::json::array(), "c.json"), "c.json: holds a JSON array, an object was expected");
}

TEST_CASE("a model's name tells its family") {
  for (const char* name : {"roberta", "roberta-base", "xlm-roberta-base", "distilroberta-base"}) CHECK(graft::encoder_family(name) == "roberta");
  CHECK(graft::encoder_family("bert-base-uncased") == "bert");
  CHECK(graft::encoder_family("albert") == "");
}

TEST_CASE("config.json files of the golden set are read") {
  const auto path = graft_test::shared_path("golden/tiny/config.json");
  if (path.empty()) return;
  CHECK(graft::read_encoder_config(path).model_type == "roberta");
}
