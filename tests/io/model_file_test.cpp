#include "graft/io/model_file.hpp"

#include <catch2/catch.hpp>

#include "graft/io/safetensors.hpp"
#include "support/shared.hpp"

using graft::dtype;
using graft_test::temporary_folder;

namespace {

const graft::json config = {{"model_type", "roberta"}, {"num_attention_heads", 2}, {"layer_norm_eps", 1e-5}, {"pad_token_id", 1}};
const std::map<std::string, std::vector<graft::index>> trunk{{"roberta.embeddings.LayerNorm.weight", {3}},
                                                             {"roberta.embeddings.word_embeddings.weight", {1000, 3}}};

std::vector<float> table(std::size_t changed = 0, float by = 0) {
  std::vector<float> values(3000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.1f * static_cast<float>(i);
  values[changed] += by;
  return values;
}

/// A file as an old Hugging Face model has it: no prefix, gamma, and tensors that are not wanted.
void write_plain(const std::string& path, const std::vector<float>& words, dtype stored = dtype::f32) {
  const std::vector<float> gamma{1, 2, 3};
  const std::vector<std::int64_t> positions{0, 1};
  graft::safetensors_writer writer;
  writer.add<std::int64_t>("embeddings.position_ids", {2}, positions);
  writer.add<float>("embeddings.LayerNorm.gamma", {3}, gamma, stored);
  writer.add<float>("embeddings.word_embeddings.weight", {1000, 3}, words, stored);
  writer.add<float>("lm_head.bias", {3}, gamma);
  writer.add<float>("classifier.out_proj.bias", {3}, gamma);
  writer.write(path);
}

}  // namespace

TEST_CASE("a plain file and the flat file made from it open as the same model") {
  const temporary_folder folder;
  write_plain(folder / "plain", table());
  const auto plain = graft::open_model(folder / "plain", "roberta");
  graft::write_model_file(folder / "flat", plain, config, "somewhere");
  const auto flat = graft::open_model(folder / "flat", "roberta");
  CHECK(flat.tensors().size() == 3);
  for (const auto& [name, info] : plain.tensors()) {
    CHECK(flat.at(name).shape == info.shape);
    CHECK(flat.values<float>(name) == plain.values<float>(name));
    CHECK(reinterpret_cast<std::uintptr_t>(flat.at(name).bytes.data()) % 64 == 0);
  }
  CHECK(plain.values<float>("roberta.embeddings.LayerNorm.weight") == std::vector<float>{1, 2, 3});
  CHECK(flat.metadata().at("source") == "somewhere");
  CHECK(flat.metadata().at("format") == "pt");
  CHECK(graft::model_file_config(folder / "flat") == config);
  CHECK_THROWS_WITH(graft::model_file_config(folder / "plain"),
                    (folder / "plain") + ": carries no config");
  CHECK(graft::fingerprint(plain, config, trunk) == graft::fingerprint(flat, config, trunk));
  CHECK_THROWS_WITH(graft::fingerprint(flat, config, {{"absent", {1}}}), Catch::Contains("has no tensor 'absent'"));
}

TEST_CASE("a flat file of another version is refused") {
  const temporary_folder folder;
  graft::safetensors_writer writer;
  writer.metadata = {{"graft_format", "2"}};
  writer.write(folder / "flat");
  CHECK_THROWS_WITH(graft::open_model(folder / "flat", "roberta"), Catch::Contains("of version 2, version 1 was expected"));
}

TEST_CASE("two spellings of one tensor are refused") {
  const temporary_folder folder;
  const std::vector<float> one{1};
  graft::safetensors_writer writer;
  writer.add<float>("embeddings.LayerNorm.gamma", {1}, one);
  writer.add<float>("roberta.embeddings.LayerNorm.weight", {1}, one);
  writer.write(folder / "x");
  CHECK_THROWS_WITH(graft::open_model(folder / "x", "roberta"),
                    Catch::Contains("holds tensor 'roberta.embeddings.LayerNorm.weight' twice"));
}

TEST_CASE("a fingerprint tells trunks apart by values, shapes and config, whatever type they are stored in") {
  const temporary_folder folder;
  const auto print = [&](const std::vector<float>& words, const graft::json& its_config = config, dtype stored = dtype::f32) {
    write_plain(folder / "x", words, stored);
    return graft::fingerprint(graft::open_model(folder / "x", "roberta"), its_config, trunk);
  };
  const auto first = print(table());
  CHECK(first.size() == 16);
  CHECK(first.find_first_not_of("0123456789abcdef") == first.npos);
  CHECK(print(table(), config, dtype::f64) == first);
  CHECK(print(table(0, 1)) != first);
  CHECK(print(table(2999, 1)) != first);
  CHECK(print(table(1500, 1)) == first);  // neither among the first nor the last 1024 values
  const graft::json changes{{"model_type", "bert"}, {"num_attention_heads", 3}, {"layer_norm_eps", 1e-12}, {"pad_token_id", 0}};
  for (const auto& [field, value] : changes.items()) {
    auto other = config;
    other[field] = value;
    CHECK(print(table(), other) != first);
  }
  auto dropout = config;
  dropout["hidden_dropout_prob"] = 0.5;
  CHECK(print(table(), dropout) == first);
}
