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
  const std::vector<std::string> one{"--adapter_path", golden_folder + "/exchange/adapterhub_double", "--max_seq_length", "4"};
  const auto named = with(one);  // one alone has no name, and answers for no other
  CHECK(named.exit_code == 1);
  CHECK(is_one_line_error(named.err));
  CHECK_THAT(named.err,
             Catch::Contains("rows.jsonl:2: names the adapter \"double\", and one alone answers here, of which no name is given: "
                             "take that out of the row, or name several with --adapter_weights_path"));
  CHECK(table(named.out).size() == 1);
  graft::write_file(folder / "rows.jsonl", ids + "}\n" + ids + ", \"adapter\": \"tuned\"}\n");
  const auto unnamed = with(one);  // nobody called it that
  CHECK(unnamed.exit_code == 1);
  CHECK_THAT(unnamed.err, Catch::Contains("rows.jsonl:2: names the adapter \"tuned\", and one alone answers here"));
  auto called = one;
  called.insert(called.end(), {"--adapter", "tuned"});
  const auto alone = table(with(called).out);
  REQUIRE(alone.size() == 2);
  CHECK(alone[0][1] == rows[1][2]);
  graft::write_file(folder / "rows.jsonl", ids + "}\n" + ids + ", \"adapter\": \"double\"}\n" + ids + ", \"adapter\": \"none\"}\n");
  CHECK(std::stod(alone[0][2]) == Approx(scores["entailment"].get<double>()).margin(1e-6));

  const auto bare = with({"--adapter", "none"});  // rows that name an adapter still ask for one that is not there
  CHECK(bare.exit_code == 1);
  CHECK(is_one_line_error(bare.err));
  CHECK_THAT(bare.err, Catch::Contains("rows.jsonl:2: there is no adapter \"double\"; known: model, none"));
  const auto unknown = with({"--adapter_weights_path", folder / "adapters.json", "--adapter", "rte", "--max_seq_length", "4"});
  CHECK(unknown.exit_code == 2);
  CHECK(unknown.out.empty());
  CHECK(is_one_line_error(unknown.err));
  CHECK_THAT(unknown.err, Catch::Contains("--adapter: there is no adapter \"rte\"; known: double, lora, one, model, none"));
  graft::write_file(folder / "empty.json", "{}");
  const auto empty = with({"--adapter_weights_path", folder / "empty.json"});
  CHECK(empty.exit_code == 1);
  CHECK_THAT(empty.err, Catch::Contains("empty.json: names no adapter, at least one was expected"));
  CHECK(with({"--adapter_weights_path", folder / "adapters.json", "--adapter_path", golden_folder}).exit_code == 2);
}

TEST_CASE(
    "predict --adapter all: every adapter answers every row, a line each, it goes on, and rows that cannot be read have as many lines") {
  const temporary_folder folder;
  const std::string adapters = folder / "adapters.json", rows = folder / "rows.jsonl", out = folder / "out.tsv";
  graft::write_file(adapters, graft::json{{"double", golden_folder + "/exchange/adapterhub_double"},
                                          {"lora", golden_folder + "/exchange/peft_lora"},
                                          {"one", golden_folder + "/exchange/original/model.p"}}
                                  .dump());
  graft::write_file(rows, R"({"input_ids": [0, 5, 9, 2]}
{"input_ids": [0, 7, 2], "adapter": "lora"}
{"input_ids": 4}
{"input_ids": [0, 5, 9, 11, 2]}
)");
  const auto with = [&](std::vector<std::string> more) {
    const std::vector<std::string> flags{"predict", "--model_path", golden_folder + "/model/model.safetensors",
                                         "--input", rows,           "--max_seq_length",
                                         "10",      "--on_error",   "row"};
    more.insert(more.begin(), flags.begin(), flags.end());
    return run_graft(more);
  };
  const auto all = with({"--adapter_weights_path", adapters, "--adapter", "all"});
  CHECK(all.exit_code == 5);
  CHECK_THAT(all.err, Catch::Contains("answers that are missing: 3 of 12, the first") && Catch::Contains("rows.jsonl:3"));
  const auto answers = table(all.out);
  REQUIRE(answers.size() == 12);
  const std::vector<std::string> names{"double", "lora", "one"};
  for (std::size_t k = 0; k < names.size(); ++k) {
    graft::write_file(folder / "one.json", graft::json{{names[k], graft::read_json(adapters)[names[k]]}}.dump());
    std::string same = graft::read_file(rows);
    same.replace(same.find("\"lora\""), 6, "\"" + names[k] + "\"");
    graft::write_file(rows, same);
    const auto alone = table(with({"--adapter_weights_path", folder / "one.json"}).out);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto& line = answers[3 * i + k];
      CHECK(line[0] == std::to_string(i));
      CHECK(line[1] == names[k]);
      CHECK(line[2] == alone[i][2]);
      if (i == 2) continue;
      const auto own = graft::json::parse(line[3]), expected = graft::json::parse(alone[i][3]);
      for (const auto& [label, score] : expected.items()) CHECK(own[label].get<double>() == Approx(score.get<double>()).margin(1e-6));
    }
    same.replace(same.find("\"" + names[k] + "\""), names[k].size() + 2, "\"lora\"");
    graft::write_file(rows, same);
  }
  CHECK_THAT(answers[7][2], Catch::StartsWith("error: line 3: "));

  for (const std::size_t lines : {1, 2, 5, 9, 13}) {  // the header and some answers, in the midst of a row's, too
    std::size_t end = 0;
    for (std::size_t i = 0; i < lines; ++i) end = all.out.find('\n', end) + 1;
    graft::write_file(out, all.out.substr(0, end) + (lines < 13 ? "1\tdou" : ""));
    CHECK(with({"--adapter_weights_path", adapters, "--adapter", "all", "--output", out, "--resume"}).exit_code == 5);
    CHECK(table(graft::read_file(out)).size() == 12);
    CHECK(table(graft::read_file(out))[11][1] == "one");
  }
  const auto other = with({"--adapter_weights_path", folder / "one.json", "--adapter", "all", "--output", out, "--resume"});
  CHECK_THAT(other.err, Catch::Contains("is not the answer to row 0"));

  const auto none = with({"--adapter", "all"});
  CHECK(none.exit_code == 2);
  CHECK_THAT(none.err, Catch::Contains("--adapter all asks every adapter that --adapter_weights_path names: give that, too"));
  graft::write_file(adapters, graft::json{{"all", golden_folder + "/exchange/peft_lora"}}.dump());
  const auto called = with({"--adapter_weights_path", adapters, "--adapter", "all"});
  CHECK(called.exit_code == 2);
  CHECK_THAT(called.err, Catch::Contains("--adapter all asks every adapter, and one of ") && Catch::Contains("is called all"));
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
  const std::string whole = graft::read_file(folder / "adapter/answers.tsv");
  for (const std::size_t size : {1U, 9U, 30U}) {  // it was ended within its first line
    graft::write_file(folder / "adapter/answers.tsv", whole.substr(0, size));
    CHECK(to(folder / "adapter/answers.tsv", "--resume").exit_code == 0);
    CHECK(graft::read_file(folder / "adapter/answers.tsv") == whole);
  }
  CHECK_THAT(graft::read_file(adapter + "/answers.tsv"), Catch::StartsWith("index\tprediction"));
  const auto split = to("/dev/null", "--split=val");
  CHECK(split.exit_code == 2);
  CHECK_THAT(split.err, Catch::Contains("--split says which rows of a task: give --task_config_path, too"));
}
