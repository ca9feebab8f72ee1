#include "graft/encoder/config.hpp"

#include <catch2/catch.hpp>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/families/families.hpp"
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
  object["hidden_act"] = "gelu_python";
  CHECK(graft::parse_encoder_config(object, "c.json") == roberta);
}

TEST_CASE("every family's config is read under its names, and read back") {
  const auto read = [](const graft::json& object) {
    const auto c = graft::parse_encoder_config(object, "c.json");
    CHECK(graft::parse_encoder_config(graft::to_json(c), "c.json") == c);
    return c;
  };
  auto object = roberta_json();
  const auto roberta = read(object);
  for (const char* type : {"xlm-roberta", "camembert"}) {
    object["model_type"] = type;
    auto other = read(object);
    CHECK(other.named_type == type);
    CHECK(graft::model_class(other.model_type, other.named_type) == (other.named_type == "camembert" ? "Camembert" : "XLMRoberta"));
    other.named_type.clear();
    CHECK(other == roberta);
  }
  const auto distilbert = read({{"model_type", "distilbert"},
                                {"vocab_size", 30},
                                {"dim", 8},
                                {"n_layers", 2},
                                {"n_heads", 4},
                                {"hidden_dim", 12},
                                {"dropout", 0.3},
                                {"attention_dropout", 0.4},
                                {"seq_classif_dropout", 0.5},
                                {"activation", "relu"}});
  CHECK(distilbert.hidden_size == 8);
  CHECK(distilbert.num_hidden_layers == 2);
  CHECK(distilbert.num_attention_heads == 4);
  CHECK(distilbert.intermediate_size == 12);
  CHECK(distilbert.type_vocab_size == 0);
  CHECK(distilbert.layer_norm_eps == 1e-12);
  CHECK(distilbert.hidden_dropout_prob == 0.3);
  CHECK(distilbert.attention_probs_dropout_prob == 0.4);
  CHECK(distilbert.classifier_dropout == 0.5);
  CHECK(distilbert.hidden_act == "relu");
  const auto electra = read({{"model_type", "electra"}, {"vocab_size", 30}, {"hidden_act", "gelu_pytorch_tanh"}});
  CHECK(electra.embedding_width() == 128);
  CHECK(electra.hidden_size == 256);
  CHECK(electra.hidden_act == "gelu_new");
  CHECK(read({{"model_type", "electra"}, {"vocab_size", 30}, {"embedding_size", 256}}).embedding_size == 0);
  const auto mpnet = read({{"model_type", "mpnet"}, {"pad_token_id", 0}, {"max_position_embeddings", 514}});
  CHECK(mpnet.pad_token_id == 1);  // that of its embeddings, whatever is said
  CHECK(mpnet.max_sequence_length() == 512);
  CHECK(mpnet.relative_buckets == 32);
  graft::json about{{"model_type", "deberta-v2"},
                    {"vocab_size", 30},
                    {"hidden_size", 8},
                    {"num_attention_heads", 2},
                    {"relative_attention", true},
                    {"share_att_key", true},
                    {"position_buckets", 256},
                    {"max_relative_positions", -1},
                    {"pos_att_type", "p2c|c2p"},
                    {"norm_rel_ebd", "layer_norm"},
                    {"position_biased_input", false},
                    {"cls_dropout", 0.3}};
  const auto deberta = read(about);
  CHECK(deberta.max_relative_positions == 512);
  CHECK(deberta.distance_keys);
  CHECK(deberta.distance_queries);
  CHECK(deberta.distances_normalized);
  CHECK_FALSE(deberta.position_table);
  CHECK(deberta.classifier_dropout == 0.3);
  CHECK(deberta.pooler_dropout == 0);
  about["pos_att_type"] = {"c2p"};
  CHECK_FALSE(read(about).distance_queries);
  const auto refused = [&](const char* field, const graft::json& value) {
    graft::json other = about;
    other[field] = value;
    CHECK_THROWS_WITH(graft::parse_encoder_config(other, "c.json"),
                      Catch::StartsWith("c.json: \"" + std::string(field) + "\" is " + value.dump()));
  };
  refused("conv_kernel_size", 3);
  refused("share_att_key", false);
  refused("relative_attention", false);
  refused("embedding_size", 4);
  refused("norm_rel_ebd", "no");
  refused("pos_att_type", {"p2p"});
  refused("position_buckets", 2);
}

TEST_CASE("ModernBERT's config, as either version of transformers writes it") {
  graft::json about{{"model_type", "modernbert"}, {"vocab_size", 60'000}, {"num_hidden_layers", 4}};
  const auto read = [&] { return graft::parse_encoder_config(about, "c.json"); };
  const auto usual = read();
  CHECK(usual.local_layers == std::vector<bool>{false, true, true, false});
  CHECK(usual.global_rope_theta == 160'000);
  CHECK(usual.local_rope_theta == 10'000);
  CHECK(usual.local_attention == 128);
  CHECK(usual.max_sequence_length() == 8'192);
  CHECK(usual.pad_token_id == 50'283);
  CHECK(usual.layer_norm_eps == 1e-5);
  CHECK(usual.hidden_dropout_prob == 0);
  CHECK_FALSE(
      (usual.attention_bias || usual.mlp_bias || usual.norm_bias || usual.classifier_bias || usual.mean_pooling || usual.position_table));
  CHECK(graft::parse_encoder_config(graft::to_json(usual), "c.json") == usual);
  about["global_attn_every_n_layers"] = 2;
  about["local_rope_theta"] = nullptr;
  CHECK(read().local_layers == std::vector<bool>{false, true, false, true});
  CHECK(read().local_rope_theta == 160'000);
  about["rope_parameters"] = {{"full_attention", {{"rope_theta", 70.0}, {"rope_type", "default"}}},
                              {"sliding_attention", {{"rope_theta", 60.0}}}};
  about["layer_types"] = {"sliding_attention", "full_attention", "full_attention", "full_attention"};
  about["classifier_pooling"] = "mean";
  about["classifier_bias"] = about["norm_bias"] = true;
  about["hidden_activation"] = "tanh";  // gated layers keep what any function needs
  about["mlp_dropout"] = 0.25;
  const auto other = read();
  CHECK(other.global_rope_theta == 70);
  CHECK(other.local_rope_theta == 60);
  CHECK(other.local_layers == std::vector<bool>{true, false, false, false});
  CHECK(other.mean_pooling);
  CHECK(other.norm_bias);
  CHECK(other.hidden_act == "tanh");
  CHECK(graft::parse_encoder_config(graft::to_json(other), "c.json") == other);
  const auto refused = [&](const char* field, const graft::json& value) {
    const graft::json before = about;
    about[field] = value;
    CHECK_THROWS_WITH(read(), Catch::StartsWith("c.json: \"" + std::string(field) + "\" "));
    about = before;
  };
  refused("rope_scaling", {{"rope_type", "yarn"}});
  refused("layer_types", {"full_attention"});
  refused("layer_types", {"full_attention", "full_attention", "chunked_attention", "full_attention"});
  refused("classifier_pooling", "max");
  refused("local_attention", 1);
  refused("head_dim", 32);
  refused("hidden_size", 12 * 63);
  about["hidden_activation"] = "no";
  CHECK_THROWS_WITH(read(), Catch::Contains("\"hidden_act\" is \"no\""));
  about["hidden_activation"] = "gelu";
  about["rope_parameters"]["full_attention"]["rope_type"] = "linear";
  CHECK_THROWS_WITH(read(), Catch::Contains("\"linear\", of a modernbert only \"default\" is computed"));
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
  for (const std::string type : {"gpt2", "albert", "longformer", "t5", "deberta"}) {
    CHECK(refusal("model_type", type) ==
          "c.json: \"model_type\" is \"" + type + "\", one of " + graft::known_model_types() + " was expected");
  }
  for (const char* act : {"relu2", "tanh", "no"}) {
    CHECK(refusal("hidden_act", act) == "c.json: \"hidden_act\" is \"" + std::string(act) +
                                            "\", gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu or mish was expected");
  }
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
  for (const char* name : {"roberta", "roberta-base", "xlm-roberta-base", "distilroberta-base"})
    CHECK(graft::encoder_family(name) == "roberta");
  CHECK(graft::encoder_family("bert-base-uncased") == "bert");
  CHECK(graft::encoder_family("camembert-base") == "roberta");
  CHECK(graft::encoder_family("distilbert-base-uncased") == "distilbert");
  CHECK(graft::encoder_family("google/electra-small-discriminator") == "electra");
  CHECK(graft::encoder_family("albert") == "");
}

TEST_CASE("config.json files of the golden set are read") {
  const auto path = graft_test::shared_path("golden/tiny/config.json");
  if (path.empty()) return;
  CHECK(graft::read_encoder_config(path).model_type == "roberta");
}
