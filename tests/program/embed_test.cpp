// graft embed and rerankers: the numbers of sentence-transformers, and the forms that embeddings come in.

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "graft/core/json.hpp"
#include "program/run.hpp"
#include "support/shared.hpp"
#include "support/tiny_folder.hpp"

using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

namespace fs = std::filesystem;
const std::string sentence_models = GRAFT_TEST_DIR "/golden/embeddings/";

std::vector<std::string> lines_of_text(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

std::vector<std::string> embed_command(const std::string& folder, const std::vector<std::string>& more) {
  std::vector<std::string> all{"embed", "--model_path", folder, "--threads", "1", "--precision", "f32"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// COUNT lines of words of the golden vocabularies.
std::string word_lines(int count) {
  const char* const words[] = {"the", "a", "cat", "dog", "sat", "on", "mat", "query"};
  std::string text;
  for (int i = 0; i < count; ++i) {
    for (int k = 0; k <= i * 29 % 7; ++k) text += std::string(k > 0 ? " " : "") + words[(i / 3 + k * k) % 8];
    text += '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("folders of sentence-transformers give its embeddings, and its rerankers their scores") {
  std::size_t embeddings = 0, rerankers = 0;
  for (const auto& entry : fs::directory_iterator(sentence_models)) {
    const std::string folder = entry.path().string();
    INFO(folder);
    const graft::json expected = graft::read_json(folder + "/case.json");
    const temporary_folder work;
    std::string rows;
    if (expected.contains("embeddings")) {
      ++embeddings;
      for (const auto& text : expected["texts"]) rows += graft::json{{"text_a", text}}.dump() + "\n";
      graft::write_file(work / "rows.jsonl", rows);
      auto flags = expected["flags"].get<std::vector<std::string>>();
      for (std::string& flag : flags) {
        if (flag.starts_with("{out}")) flag.replace(0, 5, folder);
      }
      flags.insert(flags.end(), {"--input", work / "rows.jsonl"});
      const auto result = run_graft(embed_command(folder, flags));
      INFO(result.err);
      REQUIRE(result.exit_code == 0);
      const auto lines = lines_of_text(result.out);
      REQUIRE(lines.size() == expected["embeddings"].size());
      for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto numbers = graft::json::parse(lines[i])["embedding"].get<std::vector<double>>();
        const auto theirs = expected["embeddings"][i].get<std::vector<double>>();
        REQUIRE(numbers.size() == theirs.size());
        for (std::size_t k = 0; k < numbers.size(); ++k) CHECK(numbers[k] == Approx(theirs[k]).margin(2e-6).epsilon(0));
      }
    } else {
      ++rerankers;
      for (const auto& text : expected["candidates"]) rows += expected["query"].get<std::string>() + "\t" + text.get<std::string>() + "\n";
      const auto result = run_graft({"predict", "--model_path", folder, "--threads", "1", "--precision", "f32"}, rows);
      INFO(result.err);
      REQUIRE(result.exit_code == 0);
      const auto lines = lines_of_text(result.out);
      REQUIRE(lines.size() == expected["answers"].size() + 1);
      for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto theirs = expected["answers"][i - 1].get<std::vector<double>>();
        std::vector<std::string> cells;
        std::istringstream in(lines[i]);
        for (std::string cell; std::getline(in, cell, '\t');) cells.push_back(cell);
        REQUIRE(cells.size() >= theirs.size() + 1);
        for (std::size_t k = 0; k < theirs.size(); ++k)
          CHECK(std::stod(cells[cells.size() - theirs.size() + k]) == Approx(theirs[k]).margin(2e-6).epsilon(0));
      }
    }
  }
  CHECK(embeddings >= 8);
  CHECK(rerankers >= 3);
}

TEST_CASE("embeddings are JSON lines or an array, which go on to the same bytes where they stopped, and say which rows are bad") {
  const temporary_folder folder;
  const std::string model = sentence_models + "mean__normalized";
  const std::string text = word_lines(700);
  const auto whole = run_graft(embed_command(model, {"--pooling", "mean"}), text);
  CHECK(whole.exit_code == 0);
  CHECK(whole.out.starts_with("{\"index\":0,\"embedding\":["));
  CHECK(lines_of_text(whole.out).size() == 700);

  for (const std::string name : {"out.jsonl", "out.npy"}) {
    const std::string out = folder / name;
    REQUIRE(run_graft(embed_command(model, {"--pooling", "mean", "--output", out}), text).err.empty());
    const std::string all = graft::read_file(out);
    if (name == "out.jsonl") CHECK(all == whole.out);
    for (const std::size_t cut : {std::size_t{0}, std::size_t{7}, std::size_t{64}, std::size_t{127}, std::size_t{130}, all.size() / 3,
                                  all.size() - 1, all.size()}) {
      CAPTURE(name, cut);
      graft::write_file(out, all.substr(0, cut));
      const auto result = run_graft(embed_command(model, {"--pooling", "mean", "--output", out, "--resume"}), text);
      INFO(result.err);
      CHECK(result.exit_code == 0);
      CHECK(graft::read_file(out) == all);
    }
    const auto other = run_graft(embed_command(model, {"--pooling", "max", "--output", out, "--resume"}), text);
    CHECK(other.exit_code == 1);
    CHECK_THAT(other.err, Catch::Contains("these are answers to other rows"));
    CHECK(graft::read_file(out) == all);
  }

  const std::string array = graft::read_file(folder / "out.npy");
  CHECK(array.size() == 128 + 700 * 8 * 4);
  CHECK(array.starts_with(std::string("\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (700, 8), }", 68)));
  const auto numbers = graft::json::parse(lines_of_text(whole.out)[699])["embedding"].get<std::vector<float>>();
  for (std::size_t k = 0; k < 8; ++k) {
    float stored;
    std::memcpy(&stored, array.data() + 128 + 699 * 32 + k * 4, 4);
    CHECK(stored == numbers[k]);
  }

  graft::write_file(folder / "bad.jsonl", "{\"text_a\": \"a\"}\n{\"text_a\": 3}\n{\"text_a\": \"b\"}\n");
  const auto bad = run_graft(embed_command(model, {"--input", folder / "bad.jsonl", "--on_error", "row"}));
  CHECK(bad.exit_code == 5);
  CHECK_THAT(bad.out, Catch::Contains("{\"index\":1,\"error\":\"line 2: "));
  CHECK(run_graft(embed_command(model, {"--input", folder / "bad.jsonl", "--on_error", "row", "--output", folder / "bad.npy"})).exit_code ==
        5);
  float none;
  std::memcpy(&none, graft::read_file(folder / "bad.npy").data() + 128 + 32, 4);
  CHECK(std::isnan(none));
}

TEST_CASE("embeddings go on where those that are there differ by what rounding does, and by no more") {
  const temporary_folder folder;
  const auto flags = [&](const std::string& precision, const std::string& name) {
    return embed_command(sentence_models + std::string("mean__normalized"),
                         {"--precision", precision, "--output", folder / name, "--resume"});
  };
  const std::vector<std::tuple<std::string, float, int>> cases{{"f32", 2e-5F, 0},  {"f32", 9e-5F, 1},  {"bf16", 4e-3F, 0},
                                                               {"bf16", 8e-3F, 1}, {"int8", 0.02F, 0}, {"int8", 0.045F, 1}};
  for (const auto& [precision, off, exit_code] : cases) {  // the numbers of a vector are eight, and its length is 1
    CAPTURE(precision, off);
    REQUIRE(run_graft(flags(precision, "e.npy"), word_lines(9)).exit_code == 0);
    REQUIRE(run_graft(flags(precision, "e.jsonl"), word_lines(9)).exit_code == 0);
    std::string array = graft::read_file(folder / "e.npy"), lines;
    for (std::size_t at = 128; at < array.size(); at += 4) {
      float number;
      std::memcpy(&number, array.data() + at, 4);
      number += off;
      std::memcpy(array.data() + at, &number, 4);
    }
    for (const std::string& line : lines_of_text(graft::read_file(folder / "e.jsonl"))) {
      auto row = graft::ordered_json::parse(line);
      for (auto& number : row["embedding"]) number = number.get<float>() + off;
      lines += row.dump() + '\n';
    }
    graft::write_file(folder / "e.npy", array);
    graft::write_file(folder / "e.jsonl", lines);
    for (const char* name : {"e.npy", "e.jsonl"}) {
      CHECK(run_graft(flags(precision, name), word_lines(9)).exit_code == exit_code);
      fs::remove(folder / name);
    }
  }
}

TEST_CASE("what is exported of a folder of sentence-transformers embeds as the folder does") {
  for (const std::string name : {"mean__normalized", "the_other_poolings__dense_without_bias__layer_norm",
                                 "a_prompt_by_name__dense_with_the_input_added", "as_version_2_wrote_it"}) {
    const temporary_folder folder;
    REQUIRE(run_graft({"export-model", sentence_models + name, "--output_base_path", folder.path() + "/out"}).exit_code == 0);
    const std::vector<std::string> output{"--output", folder / "a.npy"};
    const auto from = run_graft(embed_command(sentence_models + name, {"--output", folder / "from.npy"}), word_lines(9));
    const auto to = run_graft(embed_command(folder.path() + "/out/model", {"--output", folder / "to.npy"}), word_lines(9));
    CHECK(from.exit_code == 0);
    CHECK(to.err == from.err);
    CHECK(graft::read_file(folder / "to.npy") == graft::read_file(folder / "from.npy"));
    const std::string over = folder.path() + "/out";  // an export of another kind over it leaves no modules
    REQUIRE(run_graft({"export-model", sentence_models + "without_modules", "--output_base_path", over, "--force_overwrite"}).exit_code ==
            0);
    CHECK_FALSE(fs::exists(folder.path() + "/out/model/modules.json"));
  }
}

TEST_CASE("an export that cannot be put in place leaves an earlier one's modules as they were") {
  const temporary_folder folder;
  fs::create_directories(folder / "out/model/1_Pooling");
  fs::create_directories(folder / "out/model/model.safetensors");  // where a file belongs
  graft::write_file(folder / "out/model/1_Pooling/config.json", "an earlier export's");
  const auto refused = run_graft(
      {"export-model", sentence_models + std::string("mean__normalized"), "--output_base_path", folder / "out", "--force_overwrite"});
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::Contains("model.safetensors: cannot be written: is a directory"));
  CHECK(graft::read_file(folder / "out/model/1_Pooling/config.json") == "an earlier export's");
}

TEST_CASE("embed says what it does not do") {
  const temporary_folder folder;
  graft_test::write_tiny_folder(folder / "hf", "bert");
  const auto refused = [&](const std::vector<std::string>& more, int exit_code, const std::string& text = "a\n") {
    const auto result = run_graft(embed_command(folder / "hf", more), text);
    CHECK(result.exit_code == exit_code);
    return result.err;
  };
  CHECK_THAT(refused({}, 0), Catch::Contains("has no modules.json: embeddings are the mean of all tokens, not normalized"));
  CHECK_THAT(refused({"--pooling", "mean,median"}, 2), Catch::Contains("--pooling is \"median\", one of cls, max, mean, "));
  CHECK_THAT(refused({"--output", folder / "e.npy.gz"}, 2), Catch::Contains("an array of numpy's is not packed"));
  CHECK_THAT(refused({}, 1, "a\tb\n"), Catch::Contains("standard input:1: has a tab, one text a line was expected"));
  CHECK_THAT(refused({"--prompt_name", "query"}, 1), Catch::Contains("graft: --prompt_name is \"query\", the model has no prompts"));
  CHECK_THAT(refused({"--dimensions", "7"}, 1), Catch::Contains("graft: --dimensions is 7, the model's embeddings have 6"));
  CHECK_THAT(refused({"--prompt_name", "query", "--prompt", "a"}, 2), Catch::Contains("give one of the two"));
  refused({"--output", folder / "e.npy"}, 0);
  CHECK_THAT(refused({"--output", folder / "e.npy", "--resume", "--dimensions", "3"}, 1),
             Catch::Contains("begins with \"an array of rows of 6 numbers\"") && Catch::Contains("\"an array of rows of 3 numbers\""));
  graft::write_file(folder / "ids.jsonl", "{\"input_ids\": [2, 5, 3]}\n");
  CHECK_THAT(refused({"--input", folder / "ids.jsonl", "--prompt", "a"}, 1), Catch::Contains("ask for no prompt"));
}
