#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "graft/encoder/config.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/weights.hpp"
#include "program/run.hpp"

using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

const graft::json hf_config = {{"model_type", "roberta"},       {"vocab_size", 260},        {"hidden_size", 6},
                               {"num_hidden_layers", 1},        {"num_attention_heads", 2}, {"intermediate_size", 10},
                               {"max_position_embeddings", 18}, {"type_vocab_size", 1},     {"architectures", {"RobertaForMaskedLM"}}};

void write_vocabulary(const std::string& folder, int size, const std::vector<std::string>& first = {"<s>", "<pad>", "</s>", "<unk>"}) {
  graft::json vocabulary;
  for (int id = 0; id < size; ++id) {
    vocabulary[id < static_cast<int>(first.size()) ? first[static_cast<std::size_t>(id)] : "piece" + std::to_string(id)] = id;
  }
  graft::write_file(folder + "/vocab.json", vocabulary.dump());
  graft::write_file(folder + "/merges.txt", "#version: 0.2\n");
}

/// A Hugging Face folder; WITHOUT is the tensor to leave out.
void write_model(const std::string& folder, const std::string& without = "") {
  std::filesystem::create_directories(folder);
  graft::write_file(folder + "/config.json", hf_config.dump());
  write_vocabulary(folder, 260);
  graft::safetensors_writer writer;
  const auto shapes = graft::trunk_tensors(graft::parse_encoder_config(hf_config, "config.json"));
  std::vector<float> values(260 * 6);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 16;
  for (const auto& [name, shape] : shapes) {
    if (name != without) writer.add<float>(name, shape, std::span(values).first(static_cast<std::size_t>(graft::element_count(shape))));
  }
  writer.add<float>("lm_head.bias", {260}, std::span(values).first(260));
  writer.write(folder + "/model.safetensors");
}

}  // namespace

TEST_CASE("export-model writes one aligned file, the tokenizer, and the flags that the trainers take") {
  const temporary_folder folder;
  write_model(folder / "hf");
  const auto result =
      run_graft({"export-model", "--model_type", "roberta-base", "--model_path", folder / "hf", "--output_base_path", folder / "out"});
  CHECK(result.err.empty());
  REQUIRE(result.exit_code == 0);
  CHECK(graft::read_json(folder / "out/config.json") == graft::json{{"model_type", "roberta-base"},
                                                                    {"model_path", folder / "out/model/model.safetensors"},
                                                                    {"model_config_path", folder / "out/model/config.json"},
                                                                    {"model_tokenizer_path", folder / "out/model"}});
  for (const auto* name : {"config.json", "vocab.json", "merges.txt"}) {
    CHECK(graft::read_file(folder / "out/model/" + name) == graft::read_file(folder / "hf/" + name));
  }
  const auto config = graft::read_encoder_config(folder / "hf/config.json");
  const auto shapes = graft::trunk_tensors(config);
  const auto before = graft::open_model(folder / "hf", "roberta");
  const auto after = graft::open_model(folder / "out/model/model.safetensors", "roberta");
  CHECK(after.tensors().size() == shapes.size());
  for (const auto& [name, shape] : shapes) {
    CHECK(after.at(name).shape == shape);
    CHECK(after.values<float>(name) == before.values<float>(name));
    CHECK(reinterpret_cast<std::uintptr_t>(after.at(name).bytes.data()) % 64 == 0);
  }
  CHECK(graft::model_file_config(folder / "out/model/model.safetensors") == hf_config);
  CHECK_THAT(result.out, Catch::Contains(graft::fingerprint(after, graft::to_json(config), shapes)));
  CHECK_THAT(result.out, Catch::Contains("train with  --ZZsrc " + (folder / "out/config.json")));
}

TEST_CASE("export-model does not overwrite unless told to") {
  const temporary_folder folder;
  write_model(folder / "hf");
  std::filesystem::create_directories(folder / "out/model");
  graft::write_file(folder / "out/model/vocab.txt", "left over");
  const auto refused = run_graft({"export-model", folder / "hf", "--output_dir", folder / "out"});
  CHECK(refused.exit_code == 1);
  CHECK(is_one_line_error(refused.err));
  CHECK_THAT(refused.err, Catch::Contains("out: is not empty; choose another folder or give --force_overwrite"));
  CHECK_FALSE(std::filesystem::exists(folder / "out/config.json"));
  const auto forced = run_graft({"export-model", folder / "hf", "--output_dir", folder / "out", "--force_overwrite"});
  CHECK(forced.exit_code == 0);
  CHECK_FALSE(std::filesystem::exists(folder / "out/model/vocab.txt"));
  graft::write_file(folder / "out/model/head.safetensors", "an earlier export's");
  const auto onto_itself = run_graft({"export-model", folder / "out/model", "--output_dir", folder / "out", "--force_overwrite"});
  CHECK(onto_itself.exit_code == 1);
  CHECK_THAT(onto_itself.err,
             Catch::Contains("out: would write over " + (folder / "out/model") + ", which is read; choose another folder"));
  const auto again =
      run_graft({"export-model", folder / "hf", "--output_dir", folder / "out", "--force_overwrite", "--model_type", "xlm-roberta-base"});
  CHECK(again.exit_code == 0);
  CHECK(graft::read_file(folder / "out/model/vocab.json") == graft::read_file(folder / "hf/vocab.json"));
  CHECK_FALSE(std::filesystem::exists(folder / "out/model/head.safetensors"));
}

TEST_CASE("export-model says in one line what is wrong, and writes nothing") {
  const temporary_folder folder;
  write_model(folder / "hf");
  const auto refusal = [&](const std::string& source = "hf") {
    const auto result = run_graft({"export-model", folder / source, "--output_base_path", folder / "out"});
    CHECK(result.exit_code == 1);
    CHECK(is_one_line_error(result.err));
    CHECK(result.out.empty());
    CHECK_FALSE(std::filesystem::exists(folder / "out"));
    return result.err;
  };
  CHECK_THAT(refusal("absent"), Catch::Contains("absent: is no folder"));
  CHECK_THAT(refusal("hf/config.json"), Catch::Contains("config.json: is a file, a Hugging Face folder was expected"));
  std::filesystem::remove(folder / "hf/merges.txt");
  CHECK_THAT(refusal(), Catch::Contains("holds neither vocab.json + merges.txt nor vocab.txt"));
  graft::write_file(folder / "hf/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  CHECK_THAT(refusal(), Catch::Contains("hf: the vocabulary is that of a bert model, the model is a roberta: they do not belong together"));
  std::filesystem::remove(folder / "hf/vocab.txt");
  write_vocabulary(folder / "hf", 260);
  write_model(folder / "hf", "roberta.encoder.layer.0.output.dense.bias");
  CHECK_THAT(refusal(), Catch::Contains("has no tensor 'roberta.encoder.layer.0.output.dense.bias', one of shape (6) was expected"));
  graft::write_file(folder / "hf/model.safetensors", "broken");
  CHECK_THAT(refusal(), Catch::Contains("model.safetensors: holds 6 bytes, at least 8"));
  std::filesystem::remove(folder / "hf/model.safetensors");
  CHECK_THAT(refusal(), Catch::Contains("holds no weights: none of model.safetensors, model.safetensors.index.json, pytorch_model.bin"));
  auto other = hf_config;
  other["hidden_act"] = "tanh";
  graft::write_file(folder / "hf/config.json", other.dump());
  CHECK_THAT(refusal(), Catch::Contains("config.json: \"hidden_act\" is \"tanh\""));
  std::filesystem::remove(folder / "hf/config.json");
  CHECK_THAT(refusal(), Catch::Contains("hf: holds no config.json: not a Hugging Face folder?"));

  write_model(folder / "hf");
  const auto type = run_graft({"export-model", folder / "hf", "--model_type", "bert-base-uncased", "--output_dir", folder / "out"});
  CHECK(type.exit_code == 1);
  CHECK_THAT(type.err, Catch::Contains("--model_type is bert-base-uncased, " + (folder / "hf/config.json") + " is that of a roberta"));
  const auto usage = run_graft({"export-model", "--output_dir", folder / "out"});
  CHECK(usage.exit_code == 2);
  CHECK_THAT(usage.err, Catch::Contains("FOLDER is missing"));
}

TEST_CASE("a low-rank update merged at export answers as it does beside the encoder") {
  const temporary_folder folder;
  const std::string golden = GRAFT_TEST_DIR "/golden";
  std::filesystem::create_directories(folder / "hf");
  for (const char* name : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(golden + "/model/" + name, folder / ("hf/" + std::string(name)));
  const auto exported = run_graft({"export-model", folder / "hf", "--output_dir", folder / "out", "--without_tokenizer", "--merge_lora",
                                   golden + "/exchange/peft_lora"});
  CHECK(exported.err.empty());
  REQUIRE(exported.exit_code == 0);
  graft::write_file(folder / "rows.jsonl", "{\"input_ids\": [0, 5, 9, 2]}\n{\"input_ids\": [0, 30, 31, 32, 2]}\n");
  const auto answers = [&](const std::string& model, const std::string& tuned) {
    const auto result =
        run_graft({"predict", "--model_path", model, "--adapter_path", tuned, "--input", folder / "rows.jsonl", "--max_seq_length", "9"});
    CHECK(result.err.empty());
    return result.out;
  };
  const std::string merged = answers(folder / "out/model/model.safetensors", folder / "out/model/head.safetensors");
  CHECK_THAT(merged, Catch::StartsWith("index\tprediction\tP(0)\tP(1)\n0\t"));
  CHECK(merged.substr(0, 35) == answers(folder / "hf/model.safetensors", golden + "/exchange/peft_lora").substr(0, 35));
  const auto refused = run_graft({"predict", "--model_path", folder / "hf/model.safetensors", "--adapter_path",
                                  folder / "out/model/head.safetensors", "--input", folder / "rows.jsonl"});
  CHECK_THAT(refused.err, Catch::Contains("was trained on another trunk"));
}

TEST_CASE("export-model --pack adds the weights as products read them, of what was merged, and an export of an export has them not") {
  const temporary_folder folder;
  const std::string golden = GRAFT_TEST_DIR "/golden";
  std::filesystem::create_directories(folder / "hf");
  for (const char* name : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(golden + "/model/" + name, folder / ("hf/" + std::string(name)));
  graft::write_file(folder / "rows.jsonl", "{\"input_ids\": [0, 5, 9, 2]}\n{\"input_ids\": [0, 30, 31, 32, 2]}\n");
  const auto answers = [&](const std::string& model) {
    const auto result = run_graft({"predict", "--model_path", model + "/model.safetensors", "--adapter_path", model + "/head.safetensors",
                                   "--input", folder / "rows.jsonl", "--max_seq_length", "9", "--precision", "bf16"});
    CHECK(result.err.empty());
    return result.out;
  };
  const auto exported = [&](const std::string& from, const std::string& to, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"export-model", from, "--output_dir", to, "--without_tokenizer"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = run_graft(arguments);
    CHECK(result.err.empty());
    REQUIRE(result.exit_code == 0);
    std::size_t packed = 0;
    const auto tensors = graft::open_weights(to + "/model");
    for (const auto& [name, info] : tensors.tensors()) packed += graft::is_packed_name(name) ? 1 : 0;
    return packed;
  };
  const std::vector<std::string> merge{"--merge_lora", golden + "/exchange/peft_lora"};
  CHECK(exported(folder / "hf", folder / "plain", merge) == 0);
  const std::string expected = answers(folder / "plain/model");
  CHECK(exported(folder / "hf", folder / "packed", {merge[0], merge[1], "--pack", "bf16"}) > 0);
  CHECK(answers(folder / "packed/model") == expected);
  CHECK(exported(folder / "packed/model", folder / "again", {}) == 0);
  const auto refused = run_graft({"export-model", folder / "hf", "--output_dir", folder / "f64", "--without_tokenizer", "--pack", "f64"});
  CHECK(is_one_line_error(refused.err));
  CHECK_FALSE(std::filesystem::exists(folder / "f64"));
}

TEST_CASE("export-model refuses a trunk of another element type or with numbers that are none, and carries along what it does not need") {
  const temporary_folder folder;
  write_model(folder / "hf");
  const std::string path = folder / "hf/model.safetensors", out = folder / "out";
  const auto run = [&] { return run_graft({"export-model", folder / "hf", "--output_base_path", out}); };
  const std::string word = "roberta.embeddings.word_embeddings.weight";
  const auto write = [&](graft::dtype type, const std::function<void(std::vector<std::byte>&)>& change = {}) {
    const graft::safetensors_file good(path);
    graft::safetensors_writer writer;
    std::vector<std::byte> bytes(static_cast<std::size_t>(good.at(word).count()) * graft::dtype_size(type));
    if (change) change(bytes);
    for (const auto& [name, info] : good.tensors()) {
      if (name != word) writer.copy(name, info);
    }
    writer.copy(word, {type, good.at(word).shape, bytes});
    const std::vector<std::byte> ids(8), f8(6);
    writer.copy("roberta.embeddings.position_ids", {graft::dtype::i64, {1}, ids});
    writer.copy("roberta.strange.scale", {graft::dtype::f8_e4m3, {2, 3}, f8});
    writer.write(path);
  };
  const auto refused = [&] {
    const auto result = run();
    CHECK(result.exit_code == 1);
    CHECK(is_one_line_error(result.err));
    CHECK(!std::filesystem::exists(out));
    return result.err;
  };
  for (const auto type : {graft::dtype::i16, graft::dtype::boolean, graft::dtype::f8_e5m2}) {
    write_model(folder / "hf");
    write(type);
    CHECK_THAT(refused(), Catch::Contains("hf/model.safetensors: tensor '" + word + "' holds " + std::string(graft::dtype_name(type))));
  }
  write_model(folder / "hf");
  write(graft::dtype::f16, [](std::vector<std::byte>& bytes) { bytes[13 * 2 + 1] = std::byte{0x7c}; });
  CHECK_THAT(refused(), Catch::Contains("tensor '" + word + "' holds infinity at (2, 1)"));
  write_model(folder / "hf");
  write(graft::dtype::bf16);
  CHECK(run().exit_code == 0);
  const auto exported = graft::open_weights(out + "/model/model.safetensors");
  CHECK(exported.at("roberta.strange.scale").type == graft::dtype::f8_e4m3);
  CHECK(exported.at(word).type == graft::dtype::bf16);
}
