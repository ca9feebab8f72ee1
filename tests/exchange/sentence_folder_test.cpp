// What a folder of sentence-transformers may say, and what is refused by name.

#include "graft/exchange/sentence_folder.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "support/shared.hpp"

namespace {

/// A folder of the modules TYPES, each with its configuration where there is one.
struct sentence_material {
  graft_test::temporary_folder folder;
  graft::json modules = graft::json::array();

  void add(const std::string& type, const graft::json& about = graft::json()) {
    const std::string name = type == "Transformer" ? "" : std::to_string(modules.size()) + "_" + type;
    modules.push_back({{"idx", modules.size()}, {"path", name}, {"type", "sentence_transformers.models." + type}});
    if (!name.empty()) std::filesystem::create_directories(folder / name);
    if (!about.is_null()) graft::write_file((folder / name) + "/config.json", about.dump());
    graft::write_file(folder / "modules.json", modules.dump());
  }
  void say(const std::string& file, const graft::json& about) { graft::write_file(folder / file, about.dump()); }
  graft::sentence_folder read() const { return graft::read_sentence_folder(folder.path(), 8); }
};

const graft::json mean_of_8{{"word_embedding_dimension", 8}, {"pooling_mode_mean_tokens", true}, {"pooling_mode_cls_token", true}};

}  // namespace

TEST_CASE("without modules.json an embedding is the mean of all tokens, cut where the tokenizer says") {
  sentence_material m;
  auto found = m.read();
  CHECK(found.poolings == std::vector{graft::pooling::mean});
  CHECK(found.steps.empty());
  CHECK_FALSE(found.max_seq_length);
  REQUIRE(found.notes.size() == 1);
  m.say("tokenizer_config.json", {{"model_max_length", 1e30}});
  CHECK_FALSE(m.read().max_seq_length);
  m.say("tokenizer_config.json", {{"model_max_length", 77}});
  CHECK(m.read().max_seq_length == 77);
  m.say("sentence_bert_config.json", {{"max_seq_length", 128}, {"do_lower_case", true}});
  CHECK(m.read().max_seq_length == 128);
  CHECK(m.read().lower_case);
}

TEST_CASE("modules, prompts and older names are read") {
  sentence_material m;
  m.add("Transformer");
  m.add("Pooling", mean_of_8);
  m.add("Dropout");
  m.add("Normalize");
  m.say("config_sentence_transformers.json", {{"prompts", {{"query", "query: "}, {"none", nullptr}}}, {"default_prompt_name", "query"}});
  const auto found = m.read();
  CHECK((found.poolings == std::vector{graft::pooling::cls, graft::pooling::mean}));
  CHECK(found.steps.size() == 1);
  CHECK(found.prompts == std::map<std::string, std::string>{{"query", "query: "}});
  CHECK(found.default_prompt == "query");
  CHECK(found.notes.empty());
  m.modules[0]["path"] = "0_Transformer";
  m.say("modules.json", m.modules);
  CHECK(graft::sentence_encoder_folder(m.folder.path()) == m.folder / "0_Transformer");
}

TEST_CASE("a module that lies where the encoder's files go gets a folder of its own") {
  for (const char* here : {"", "."}) {
    sentence_material m;
    m.add("Transformer");
    m.add("Pooling", mean_of_8);
    m.modules[0]["path"] = "0_Transformer";
    m.modules[1]["path"] = here;
    m.say("modules.json", m.modules);
    m.say("config.json", mean_of_8);
    const auto files = graft::sentence_files(m.folder.path());
    const std::map<std::string, std::string> written(files.begin(), files.end());
    CHECK(written.contains("1_Pooling/config.json"));
    CHECK_FALSE(written.contains("config.json"));
    const graft::json list = graft::json::parse(written.at("modules.json"));
    CHECK(list[0]["path"] == "");
    CHECK(list[1]["path"] == "1_Pooling");
  }
}

TEST_CASE("what is not computed is refused by name") {
  const auto refused = [](const sentence_material& m, const std::string& text) { CHECK_THROWS_WITH(m.read(), Catch::Contains(text)); };
  sentence_material m;
  m.say("modules.json", "all");
  refused(m, "modules.json: is \"all\", a list of modules was expected");
  m.add("WordEmbeddings");
  refused(m, "begins with a module WordEmbeddings");

  sentence_material outside;
  outside.add("Transformer");
  outside.modules[0]["path"] = "../other";
  outside.say("modules.json", outside.modules);
  refused(outside, "\"path\" is \"../other\", a folder inside was expected");
  outside.modules[0] = {{"path", ""}, {"type", "custom_st.Transformer"}};
  outside.say("modules.json", outside.modules);
  refused(outside, "\"type\" is \"custom_st.Transformer\", code that comes with the model");
  outside.say("config_sentence_transformers.json", {{"model_type", "SparseEncoder"}});
  refused(outside, "\"model_type\" is \"SparseEncoder\"");

  sentence_material s;
  s.add("Transformer");
  refused(s, "has no module Pooling");
  s.say("sentence_bert_config.json", {{"max_seq_length", 12}, {"query_expansion", {{"length", 32}}}});
  refused(s, "\"query_expansion\" is {\"length\":32}");
  s.say("sentence_bert_config.json", {{"transformer_task", "fill-mask"}});
  refused(s, "\"transformer_task\" is \"fill-mask\"");
  s.say("sentence_bert_config.json", graft::json::object());
  s.add("Pooling", {{"embedding_dimension", 9}, {"pooling_mode", "mean"}});
  refused(s, "\"embedding_dimension\" is 9, the encoder's hidden_size is 8");
  s.say("1_Pooling/config.json", {{"embedding_dimension", 8}, {"pooling_mode", {"mean", "median"}}});
  refused(s, "\"pooling_mode\" is \"median\", one of cls, max, mean, ");
  s.say("1_Pooling/config.json", mean_of_8);
  s.add("Dense", {{"in_features", 8}, {"out_features", 4}});
  refused(s, "\"in_features\" is 8 and \"out_features\" 4, vectors of 16 numbers come in");
  s.say("2_Dense/config.json", {{"in_features", 16}, {"out_features", 4}, {"activation_function", "torch.nn.modules.activation.Hardtanh"}});
  refused(s, "\"activation_function\" is \"torch.nn.modules.activation.Hardtanh\", one of torch's");
  s.say("2_Dense/config.json", {{"in_features", 16}, {"out_features", 4}, {"module_input_name", "token_embeddings"}});
  refused(s, "\"module_input_name\" is \"token_embeddings\"");
  s.say("2_Dense/config.json", {{"in_features", 16}, {"out_features", 4}});
  refused(s, "holds no weights");
  s.add("CNN");
  s.modules.erase(2);
  s.say("modules.json", s.modules);
  refused(s, "has a module CNN behind Pooling");
}
