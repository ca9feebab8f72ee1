// graft predict with several adapters around one encoder.

#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "program/run.hpp"
#include "support/shared.hpp"

using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

const std::string golden_folder = GRAFT_TEST_DIR "/golden";

/// The rows of a table, without its header, cut at tabs.
std::vector<std::vector<std::string>> table(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  std::string line, field;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    auto& row = rows.emplace_back();
    while (std::getline(fields, field, '\t')) row.push_back(field);
  }
  return rows;
}

}  // namespace

TEST_CASE("rows name their adapter, an argument names it for the others, and the table says who answered") {
  const temporary_folder folder;
  graft::write_file(folder / "adapters.json", graft::json{{"double", golden_folder + "/exchange/adapterhub_double"},
                                                          {"lora", golden_folder + "/exchange/peft_lora"},
                                                          {"one", golden_folder + "/exchange/original/model.p"}}
                                                  .dump());
  const std::string ids = "{\"input_ids\": [0, 5, 9, 2]";
  graft::write_file(folder / "rows.jsonl", ids + "}\n" + ids + ", \"adapter\": \"double\"}\n" + ids + ", \"adapter\": \"none\"}\n");
  const std::vector<std::string> flags{"predict", "--model_path", golden_folder + "/model/model.safetensors", "--input",
                                       folder / "rows.jsonl"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), flags.begin(), flags.end());
    return run_graft(more);
  };
  const auto result = with({"--adapter_weights_path", folder / "adapters.json", "--adapter", "lora"});
  CHECK_THAT(result.err, Catch::StartsWith("graft: double, lora, one: does not say how long its sequences were in training"));
  CHECK(graft_test::is_one_line_error(result.err));
  CHECK(with({"--adapter_weights_path", folder / "adapters.json", "--max_seq_length", "4"}).err.empty());
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.out, Catch::StartsWith("index\tadapter\tprediction\tscores\n"));
  const auto rows = table(result.out);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0][1] == "lora");
  CHECK(rows[1][1] == "double");
  CHECK(rows[2][1] == "none");
  CHECK(rows[2][2].empty());
  CHECK(graft::json::parse(rows[2][3]).size() == 8);
  const auto scores = graft::json::parse(rows[1][3]);
  CHECK(scores["entailment"].get<double>() + scores["not_entailment"].get<double>() == Approx(1));
  const auto alone = table(with({"--adapter_path", golden_folder + "/exchange/adapterhub_double"}).out);
  CHECK(alone[0][1] == rows[1][2]);
  CHECK(std::stod(alone[0][2]) == Approx(scores["entailment"].get<double>()).margin(1e-6));

  const auto bare = with({"--adapter", "none"});  // rows that name an adapter still ask for one that is not there
  CHECK(bare.exit_code == 1);
  CHECK(is_one_line_error(bare.err));
  CHECK_THAT(bare.err, Catch::Contains("rows.jsonl:2: there is no adapter \"double\"; known: model, none"));
  const auto unknown = with({"--adapter_weights_path", folder / "adapters.json", "--adapter", "rte"});
  CHECK(unknown.exit_code == 1);
  CHECK_THAT(unknown.err, Catch::Contains("rows.jsonl:1: there is no adapter \"rte\"; known: double, lora, one, model, none"));
  graft::write_file(folder / "empty.json", "{}");
  const auto empty = with({"--adapter_weights_path", folder / "empty.json"});
  CHECK(empty.exit_code == 1);
  CHECK_THAT(empty.err, Catch::Contains("empty.json: names no adapter, at least one was expected"));
  CHECK(with({"--adapter_weights_path", folder / "adapters.json", "--adapter_path", golden_folder}).exit_code == 2);
}

TEST_CASE("predict --output replaces a table of answers, and nothing that is read") {
  namespace fs = std::filesystem;
  const temporary_folder folder;
  const std::string rows = folder / "rows.jsonl", adapter = folder / "adapter";
  fs::copy(golden_folder + "/exchange/adapterhub_double", adapter);
  graft::write_file(rows, "{\"input_ids\": [0, 5, 9, 2]}\n");
  graft::write_file(adapter + "/notes", "mine\n");
  fs::create_symlink(rows, folder / "link");
  const auto to = [&](const std::string& output, const std::string& more = "--max_seq_length=10") {
    return run_graft({"predict", "--model_path", golden_folder + "/model/model.safetensors", "--adapter_path", adapter, "--input", rows,
                      "--output", output, more});
  };
  for (const std::string& file : {rows, folder / "link", folder / "adapter/notes", folder / "adapter/pytorch_adapter.bin"}) {
    CAPTURE(file);
    if (!fs::exists(file)) continue;
    const std::string before = graft::read_file(file);
    const auto result = to(file);
    CHECK(result.exit_code == 2);
    CHECK(is_one_line_error(result.err));
    CHECK_THAT(result.err, Catch::Contains("belongs to the rows, the model or an adapter and would be lost"));
    CHECK(graft::read_file(file) == before);
  }
  for (int i = 0; i < 2; ++i) CHECK(to(folder / "adapter/answers.tsv").exit_code == 0);
  CHECK_THAT(graft::read_file(adapter + "/answers.tsv"), Catch::StartsWith("index\tprediction"));
  const auto split = to("/dev/null", "--split=val");
  CHECK(split.exit_code == 2);
  CHECK_THAT(split.err, Catch::Contains("--split says which rows of a task: give --task_config_path, too"));
}
