#include "graft/exchange/peft.hpp"

#include <cmath>

#include "exchange/material.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"

using namespace graft_test;
using Catch::Contains;
using graft::json;
using names = std::vector<std::string>;

namespace {

graft::adapter_file peft_round_trip(const graft::adapter_file& a, const graft::encoder_config& config) {
  const temporary_folder folder;
  graft::write_peft(folder / "out", a, config);
  auto back = graft::read_peft(folder / "out", config);
  const auto &was = a.description, &is = back.description;
  CHECK(is.kind == was.kind);
  CHECK(is.lora.r == was.lora.r);
  CHECK(is.lora.alpha == was.lora.alpha);
  CHECK(is.lora.ranks == was.lora.ranks);
  CHECK(is.lora.alphas == was.lora.alphas);
  CHECK(is.lora.dora == was.lora.dora);
  CHECK(is.lora.bias == was.lora.bias);
  CHECK(is.modules_to_save == was.modules_to_save);
  CHECK(back.description.labels == a.description.labels);
  check_same(a.tensors, back.tensors);
  return back;
}

}  // namespace

TEST_CASE("a LoRA with its head") {
  const auto a = graft::read_peft(exchange + "peft_lora", roberta_config());
  CHECK(a.description.kind == graft::tuning_kind::lora);
  CHECK(a.description.lora.r == 2);
  CHECK(a.description.lora.alpha == 3);
  CHECK(a.description.lora.targets == names{"attention.self.query", "attention.self.value"});
  CHECK_FALSE(a.description.layer_norms_trained);
  CHECK(a.description.labels == names{"0", "1"});
  CHECK(a.tensors.tensors().size() == 12);
  const graft::safetensors_file weights(exchange + "peft_lora/adapter_model.safetensors");
  for (const std::string name : {"roberta.encoder.layer.1.attention.self.query.lora_A.weight", "classifier.out_proj.bias"}) {
    CHECK(a.tensors.values<float>(name) == weights.values<float>("base_model.model." + name));
  }
}

TEST_CASE("modules picked by a pattern, a scale of alpha / sqrt(r), a .bin, no head") {
  const auto a = graft::read_peft(exchange + "peft_lora_pattern", roberta_config());
  CHECK(a.description.lora.r == 4);
  CHECK(a.description.lora.alpha == 6);
  CHECK(a.description.lora.targets == names{"attention.output.dense", "attention.self.key", "intermediate.dense"});
  CHECK_FALSE(a.has_head());
  CHECK(a.tensors.tensors().size() == 12);
}

TEST_CASE("a pattern that picks some layers only is read as the layers that it picked") {
  const copied_folder folder("peft_lora_pattern");
  folder.rewrite("adapter_model.bin", [](std::string& name, auto&) {
    if (name.find("layer.0.attention.self.key") != name.npos) name.clear();
  });
  const auto a = graft::read_peft(folder.path(), roberta_config());
  CHECK(a.description.lora.targets == names{"attention.output.dense", "intermediate.dense", "layer.1.attention.self.key"});
}

TEST_CASE("modules under their full names, picked layers and excluded modules: the tensors say which") {
  const copied_folder folder("peft_lora");
  folder.rewrite("adapter_model.safetensors", [](std::string& name, auto&) {
    if (name.find("layer.0.attention.self.value") != name.npos) name.clear();
  });
  for (const std::string before : {"roberta.", "", "model.roberta."}) {
    folder.edit("adapter_config.json", [&](json& j) {
      j["target_modules"] = {before + "encoder.layer.0.attention.self.query", before + "encoder.layer.1.attention.self.query",
                             before + "encoder.layer.1.attention.self.value"};
    });
    CHECK(graft::read_peft(folder.path(), roberta_config()).description.lora.targets ==
          names{"attention.self.query", "layer.1.attention.self.value"});
  }
  folder.edit("adapter_config.json", [](json& j) {
    j.update({{"target_modules", {"query", "value"}}, {"layers_to_transform", {0, 1}}, {"layers_pattern", "layer"}});
    j["exclude_modules"] = {"roberta.encoder.layer.0.attention.self.value"};
  });
  CHECK(folder.refusal().empty());
}

TEST_CASE("what is written for PEFT comes back, BERT with and without its pooler") {
  auto d = lora();
  peft_round_trip(made_adapter(roberta_config(), d), roberta_config());
  d.lora = {2, 1.5, {"dense", "key"}};
  const auto back = peft_round_trip(made_adapter(roberta_config(), d), roberta_config());
  CHECK(back.description.lora.targets == names{"attention.output.dense", "attention.self.key", "intermediate.dense", "output.dense"});
  d = lora();
  d.labels.clear();
  peft_round_trip(made_adapter(roberta_config(), d), roberta_config());
  peft_round_trip(made_adapter(bert_config(), lora()), bert_config());
  peft_round_trip(made_adapter(bert_config(), lora(), "bert.pooler."), bert_config());
}

TEST_CASE("ranks, scales, biases, LayerNorms, lengths of rows and scales come back from PEFT's form and from graft's") {
  auto ranks = lora();
  const std::string layer = "roberta.encoder.layer.";
  ranks.lora.ranks = {{layer + "0.attention.self.query", 5}};
  ranks.lora.alphas = {{layer + "1.attention.self.value", 0.75}};
  auto dora = lora();
  dora.lora.dora = true;
  auto biases = lora();
  biases.lora.bias = true;
  biases.modules_to_save = {layer + "0.attention.self.key.bias", layer + "0.attention.self.query.bias",
                            layer + "1.output.LayerNorm.weight"};
  auto only = lora();
  only.modules_to_save = {layer + "0.attention.self.query.bias"};
  auto norms = lora();
  for (const auto& [name, shape] : graft::layer_norm_tensors(roberta_config())) norms.modules_to_save.push_back(name);
  auto head = lora();
  head.lora.targets.insert(head.lora.targets.begin(), {"classifier.dense", "classifier.out_proj"});
  auto scales = lora();
  scales.kind = graft::tuning_kind::ia3;
  scales.lora = {};
  scales.ia3 = {{"attention.self.key", "output.dense"}, {"output.dense"}};
  for (const auto& d : {ranks, dora, biases, only, norms, head, scales}) {
    const auto a = made_adapter(roberta_config(), d);
    peft_round_trip(a, roberta_config());
    const temporary_folder folder;
    graft::write_adapter(folder / "a.safetensors", a);
    const auto back = graft::open_adapter(folder / "a.safetensors", roberta_config());
    check_same(a.tensors, back.tensors);
    CHECK(graft::to_metadata(back.description) == graft::to_metadata(d));
  }
  const auto config_of = [](const graft::model_description& d) {
    const temporary_folder folder;
    graft::write_peft(folder / "out", made_adapter(roberta_config(), d), roberta_config());
    return graft::read_json(folder / "out/adapter_config.json");
  };
  CHECK(config_of(biases)["bias"] == "all");
  CHECK(config_of(biases)["modules_to_save"] == json({"classifier", layer + "1.output.LayerNorm"}));
  CHECK(config_of(only)["bias"] == "lora_only");
  CHECK(config_of(norms)["bias"] == "none");
  CHECK(config_of(norms)["modules_to_save"] == json({"classifier", "LayerNorm"}));
  CHECK(config_of(head)["task_type"] == json());
  CHECK(config_of(head)["modules_to_save"] == json());
}

TEST_CASE("PEFT: the scale of a projection is that of the first pattern that its name ends in") {
  const copied_folder folder("peft_lora");
  const auto alphas = [&](const graft::ordered_json& pattern) {
    folder.edit("adapter_config.json", [&](json& j) { j["alpha_pattern"] = pattern; });
    return graft::read_peft(folder.path(), roberta_config()).description.lora;
  };
  using scales = std::map<std::string, double>;
  const std::string layer = "roberta.encoder.layer.";
  CHECK(alphas({{"query", 3}}).alphas.empty());
  CHECK(alphas({{"uery", 7}, {"layer.1", 7}}).alphas.empty());  // no ends from a dot on
  CHECK(alphas({{"query", 7}}).alphas == scales{{layer + "0.attention.self.query", 7}, {layer + "1.attention.self.query", 7}});
  CHECK(alphas({{R"(1\..*query)", 7}}).alphas == scales{{layer + "1.attention.self.query", 7}});
  const scales first{{layer + "0.attention.self.query", 7}};
  for (const char* key : {R"(layer\.0\.attention\.self\.query\Z)", R"(\Aroberta\.encoder\.layer\.0\..*query)",
                          R"([0a]\.attention.self.query$)", R"([^\W1-9]\.attention.self.query)"})
    CHECK(alphas({{key, 7}}).alphas == first);
  CHECK(alphas({{"^encoder.layer.0.attention.self.query", 7}}).alphas.empty());
  std::string many;
  for (int i = 0; i < 80; ++i) many += "roberta.encoder.layer." + std::to_string(i) + ".x|";
  CHECK(alphas({{many + "0.attention.self.query", 7}}).alphas == first);
  for (const char* key :
       {R"(layer\.[]0]\..*query)", R"(\060.*query)", "[[:digit:]].*query", "(?P<n>0).*query", "(?i:QUERY)", "(?<!1)query"}) {
    folder.edit("adapter_config.json", [&](json& j) { j["alpha_pattern"] = {{key, 7}}; });  // Python reads it, and otherwise
    CHECK_THAT(folder.refusal(), Contains("\"alpha_pattern\" has the key") && Contains("without looks behind"));
    folder.edit("adapter_config.json", [&](json& j) {
      j.erase("alpha_pattern");
      j["rank_pattern"] = {{key, 2}};
    });
    CHECK(folder.refusal().empty());  // ranks are the tensors'
    folder.edit("adapter_config.json", [&](json& j) { j["rank_pattern"] = json::object(); });
  }
  const copied_folder bare("peft_lora");
  bare.rewrite("adapter_model.safetensors", [](std::string& name, auto&) {
    if (const auto at = name.find(".roberta."); at != name.npos) name.erase(at, std::string(".roberta").size());
  });
  bare.edit("adapter_config.json", [&](json& j) {
    j["alpha_pattern"] = {{"^encoder.layer.0.attention.self.query", 7}, {"roberta.encoder.layer.1.attention.self.query", 9}};
  });
  CHECK(graft::read_peft(bare.path(), roberta_config()).description.lora.alphas == first);  // names are those of the model that was tuned
  CHECK(alphas({{"query", 7}, {"value", 7}}).alpha == 7);
  CHECK(alphas({{"query", 7}, {"value", 7}}).alphas.empty());
  folder.edit("adapter_config.json", [&](json& j) { j["use_rslora"] = true; });
  CHECK(alphas({{R"(1\..*query)", 7}}).alphas.at(layer + "1.attention.self.query") == Approx(7 * std::sqrt(2.0)));
  folder.edit("adapter_config.json", [&](json& j) { j["alpha_pattern"] = {{"(", 7}}; });
  CHECK_THAT(folder.refusal(), Contains("\"alpha_pattern\" has the key \"(\""));
  folder.edit("adapter_config.json", [&](json& j) { j["alpha_pattern"] = {{std::string(2'000, '('), 7}}; });  // would overflow the stack
  CHECK_THAT(folder.refusal(), Contains("\"alpha_pattern\" has the key"));
  folder.edit("adapter_config.json", [&](json& j) {
    j["alpha_pattern"] = {{"(a*)*(e*)*(r*)*(y*)*x", 7}};
  });  // would take years, going back and forth
  CHECK(folder.refusal().empty());
  folder.edit("adapter_config.json", [&](json& j) { j["alpha_pattern"] = {{"query", -1e10}}; });
  CHECK_THAT(folder.refusal(), Contains("alpha of 'roberta.encoder.layer.0.attention.self.query' is -1"));
}

TEST_CASE("PEFT's form refuses adapters") {
  const temporary_folder folder;
  CHECK_THAT(refusal([&] { graft::write_peft(folder / "o", made_adapter(roberta_config(), houlsby()), roberta_config()); }),
             Contains("no low-rank update"));
}

TEST_CASE("fields of low-rank updates that graft does not compute are refused by name") {
  const auto message = [](const std::string& field, const json& value) {
    const copied_folder folder("peft_lora");
    folder.edit("adapter_config.json", [&](json& j) { j[field] = value; });
    return folder.refusal();
  };
  for (const char* field : {"fan_in_fan_out", "use_qalora", "of_tomorrow"}) {
    CHECK_THAT(message(field, true), Contains("adapter_config.json: \"" + std::string(field) + "\" is true"));
  }
  CHECK_THAT(message("use_dora", true), Contains("no tensor") && Contains("lora_magnitude_vector'"));
  CHECK_THAT(message("lora_bias", true), Contains("no tensor") && Contains("lora_B.bias'"));
  CHECK_THAT(message("bias", "some"), Contains("\"bias\" is \"some\""));
  CHECK_THAT(message("layer_replication", {{0, 1}}), Contains("\"layer_replication\""));
  CHECK_THAT(message("loftq_config", {{"loftq_bits", 4}}), Contains("\"loftq_config\""));
  CHECK_THAT(message("init_lora_weights", "pissa"),
             Contains("\"init_lora_weights\" is \"pissa\"") && Contains("changes the encoder's weights, too"));
  CHECK_THAT(message("task_type", "QUESTION_ANS"), Contains("\"task_type\" is \"QUESTION_ANS\""));
  CHECK_THAT(message("peft_type", "VERA"), Contains("\"peft_type\" is VERA: VeRA is not computed by graft"));
  CHECK_THAT(message("peft_type", "OF_TOMORROW"), Contains("\"peft_type\" is OF_TOMORROW: OF_TOMORROW is not"));
  CHECK_THAT(message("r", 0), Contains("\"r\" is 0, 1 to 65536 was expected"));
  CHECK_THAT(message("r", 65'537), Contains("\"r\" is 65537"));
  CHECK_THAT(message("r", 3),
             Contains("adapter_config.json: gives 'roberta.encoder.layer.0.attention.self.query' an update of rank 3, and it has "
                      "one of rank 2: the configuration is of other tensors"));
  CHECK_THAT(message("rank_pattern", {{R"(1\..*value)", 4}}),
             Contains("gives 'roberta.encoder.layer.1.attention.self.value' an update of rank 4"));
  CHECK(message("rank_pattern", {{"query", 2}}).empty());
  for (const double alpha : {-1e300, 1e300}) CHECK_THAT(message("lora_alpha", alpha), Contains("\"lora_alpha\" is "));
  for (const double alpha : {0.0, -8.0}) {  // by which PEFT multiplies, too
    const copied_folder folder("peft_lora");
    folder.edit("adapter_config.json", [&](json& j) { j["lora_alpha"] = alpha; });
    const auto read = graft::read_peft(folder.path(), roberta_config());
    CHECK(read.description.lora.alpha == alpha);
    CHECK(read.notes.size() == (alpha == 0 ? 1U : 0U));
    const auto again = graft::parse_description(graft::to_metadata(read.description), "p");
    CHECK(again.lora.alpha == alpha);
  }
  CHECK(message("target_modules", {"q_proj"}).empty());  // the tensors say what was updated
  const copied_folder nothing("peft_lora");
  nothing.rewrite("adapter_model.safetensors", [](std::string& name, auto&) {
    if (name.find("lora_") != name.npos) name.clear();
  });
  CHECK_THAT(nothing.refusal(), Contains("no dense layer of this encoder has an update"));
  CHECK(message("init_lora_weights", "gaussian").empty());
  CHECK(message("lora_dropout", 0.5).empty());
  const copied_folder eva("peft_lora");
  eva.edit("adapter_config.json", [](json& j) { j.update({{"init_lora_weights", "eva"}, {"eva_config", {{"rho", 2.0}}}}); });
  CHECK(eva.refusal().empty());
}

TEST_CASE("a low-rank update for another head than one for texts or words is refused by its name") {
  const auto message = [](const std::string& field, const json& value) {
    const copied_folder folder("peft_lora");
    folder.edit("adapter_config.json", [&](json& j) {
      j["task_type"] = nullptr;
      j[field] = value;
    });
    return folder.refusal();
  };
  for (const char* task : {"QUESTION_ANS", "CAUSAL_LM", "SEQ_2_SEQ_LM"}) CHECK_THAT(message("task_type", task), Contains(task));
  for (const char* name : {"RobertaForQuestionAnswering", "RobertaForMultipleChoice", "RobertaForMaskedLM"}) {
    CHECK_THAT(message("auto_mapping", {{"base_model_class", name}}), Contains("\"auto_mapping\" says \"" + std::string(name)));
  }
  for (const char* name : {"RobertaForSequenceClassification", "RobertaModel"}) {
    CHECK(message("auto_mapping", {{"base_model_class", name}, {"parent_library", "transformers"}}).empty());
  }
  CHECK(message("auto_mapping", nullptr).empty());
}

namespace {

/// golden/exchange/peft_lora with its tensors under the names that RENAME gives, and MORE.
void save_peft(const copied_folder& folder, const std::function<std::string(const std::string&)>& rename,
               const std::map<std::string, std::vector<graft::index>>& more = {}, float value = 0.5F) {
  const graft::safetensors_file stored(exchange + "peft_lora/adapter_model.safetensors");
  graft::safetensors_writer writer;
  for (const auto& [name, info] : stored.tensors()) writer.add(rename(name), info.shape, info.type, info.bytes, info.type);
  std::vector<std::vector<float>> values;
  for (const auto& [name, shape] : more) {
    const auto& own = values.emplace_back(static_cast<std::size_t>(graft::element_count(shape)), value);
    writer.add(name, shape, std::span<const float>(own));
  }
  writer.write(folder / "adapter_model.safetensors");
}

}  // namespace

TEST_CASE("names that tensors have in memory: the trained copies are taken") {
  const auto plain = graft::read_peft(exchange + "peft_lora", roberta_config());
  const auto in_memory = [](const std::string& adapter, const std::string& before) {
    return [=](std::string name) {
      name = graft::detail::replace_first(name, ".lora_A.", ".lora_A." + adapter + ".");
      name = graft::detail::replace_first(name, ".lora_B.", ".lora_B." + adapter + ".");
      name = graft::detail::replace_first(name, ".classifier.", ".classifier.modules_to_save." + adapter + ".");
      return before + name;
    };
  };
  const std::map<std::string, std::vector<graft::index>> untrained{{"base_model.model.classifier.original_module.dense.weight", {8, 8}}};
  for (const std::string adapter : {"default", "rte"}) {
    const copied_folder folder("peft_lora");
    save_peft(folder, in_memory(adapter, ""), untrained);
    check_same(plain.tensors, graft::read_peft(folder.path(), roberta_config()).tensors);
    save_peft(folder, in_memory(adapter, "_orig_mod."));
    check_same(plain.tensors, graft::read_peft(folder.path(), roberta_config()).tensors);
  }
  const copied_folder two("peft_lora");
  save_peft(two, in_memory("a", ""), {{"base_model.model.roberta.encoder.layer.0.attention.self.query.lora_A.b.weight", {2, 8}}});
  CHECK_THAT(two.refusal(), Contains("several adapters, \"a\", \"b\""));
}

TEST_CASE("what a low-rank update repeats of the encoder is compared with it") {
  const copied_folder folder("peft_lora");
  const auto same = [](const std::string& name) { return name; };
  const std::string table = "base_model.model.roberta.embeddings.word_embeddings.weight";
  const graft::index rows = roberta_config().vocab_size;
  save_peft(folder, same, {{table, {rows + 1, 8}}});
  CHECK_THAT(folder.refusal(), Contains(std::to_string(rows + 1) + " word embeddings, the encoder's has " + std::to_string(rows)) &&
                                   Contains("vocabulary was resized"));
  save_peft(folder, same, {{table, {rows, 8}}});
  const auto read = graft::read_peft(folder.path(), roberta_config());
  CHECK(read.tensors.tensors().size() == 12);
  CHECK(read.of_trunk.tensors().size() == 1);
  CHECK_NOTHROW(graft::check_of_trunk(read, read.of_trunk));
  // A copy in half precision is the encoder's, rounded.
  const auto trunk = graft::open_model(golden + "model/model.safetensors", "roberta");
  const std::string words = "roberta.embeddings.word_embeddings.weight";
  for (const auto type : {graft::dtype::f16, graft::dtype::bf16}) {
    auto values = trunk.values<float>(words);
    for (const bool changed : {false, true}) {
      if (changed) values[3] += 0.5F;
      const auto bytes = std::make_shared<std::vector<std::byte>>(values.size() * 2);
      graft::convert(graft::dtype::f32, std::as_bytes(std::span(values)), type, bytes->data());
      graft::adapter_file half{{}, graft::tensor_source("half")};
      half.of_trunk.add(words, {type, {rows, 8}, *bytes});
      half.of_trunk.keep_alive(bytes);
      CHECK(refusal([&] { graft::check_of_trunk(half, trunk); }).empty() != changed);
    }
  }
  CHECK_THAT(refusal([&] { graft::check_of_trunk(read, graft::open_model(golden + "model/model.safetensors", "roberta")); }),
             Contains("word_embeddings.weight' with other values than the encoder's"));
}

TEST_CASE("PEFT: tensors that are missing, of another shape, or unknown are refused with their names and shapes") {
  const std::string name = "roberta.encoder.layer.1.attention.self.value.lora_B.weight";
  const auto message = [](const std::function<void(std::string&, std::vector<graft::index>&)>& change) {
    const copied_folder folder("peft_lora_pattern");
    folder.edit("adapter_config.json", [](json& j) { j["target_modules"] = {"key", "attention.output.dense", "intermediate.dense"}; });
    folder.rewrite("adapter_model.bin", change);
    return folder.refusal();
  };
  const std::string b = "roberta.encoder.layer.1.intermediate.dense.lora_B.weight";
  CHECK(message([](auto&, auto&) {}).empty());
  CHECK_THAT(message([&](std::string& n, auto&) { n = n.ends_with(b) ? "" : n; }),
             Contains("no tensor '" + b + "'") && Contains("(12, 4)"));
  CHECK_THAT(message([&](std::string& n, auto& shape) {
               shape = n.ends_with(b) ? std::vector<graft::index>{4, 12} : shape;
             }),
             Contains("'" + b + "' has shape (4, 12), (12, 4) was expected"));
  CHECK_THAT(message([&](std::string& n, auto&) { n = n.ends_with(b) ? n + "s" : n; }), Contains("no tensor '" + b + "'"));
  CHECK_THAT(message([&](std::string& n, auto&) { n.erase(0, 11); }), Contains("base_model.model. was expected"));
  const copied_folder embeddings("peft_lora");
  save_peft(embeddings, [](const std::string& n) { return n; },
            {{"base_model.model.roberta.embeddings.word_embeddings.lora_embedding_A", {2, 40}}});
  CHECK_THAT(embeddings.refusal(), Contains("an update of the word embeddings, which graft does not compute"));
}
