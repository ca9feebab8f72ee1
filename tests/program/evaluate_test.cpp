// graft evaluate: scores of what predict answers, and the labels of rows and model brought together.

#include <catch2/catch.hpp>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "graft/core/json.hpp"
#include "program/run.hpp"
#include "support/shared.hpp"

using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

const std::string scored_models = GRAFT_TEST_DIR "/golden/peers/";

/// The rows of the goldens with LABELS, as JSON.
std::string labeled_lines(const std::vector<std::string>& labels) {
  std::istringstream rows(graft::read_file(scored_models + "rows.jsonl"));
  std::string text, line;
  for (std::size_t i = 0; std::getline(rows, line); ++i) {
    graft::json row = graft::json::parse(line);
    row["label"] = labels.at(i);
    text += row.dump() + "\n";
  }
  return text;
}

graft_test::outcome score(const std::string& model, const std::vector<std::string>& more) {
  std::vector<std::string> all{"evaluate", "--model_path", scored_models + model, "--threads", "1", "--precision", "f32"};
  all.insert(all.end(), more.begin(), more.end());
  return run_graft(all);
}

}  // namespace

TEST_CASE("labeled rows are scored as they are predicted") {
  const temporary_folder folder;
  const std::vector<std::string> labels{"no", "yes", "no", "yes", "no"};
  graft::write_file(folder / "rows.jsonl", labeled_lines(labels));
  const auto result =
      score("heads/single_label_roberta", {"--input", folder / "rows.jsonl", "--output", folder / "scores.json", "--worst", "2"});
  CHECK(result.err.empty());
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.out,
             Catch::Contains("acc 0.4000") && Catch::Contains("yes          0.4000  1.0000  0.5714       2\n") &&
                 Catch::Contains("row \\ answer      no     yes\nno                 0       3\nyes                0       2\n") &&
                 Catch::Contains("line\tloss\tlabel\tprediction\ttext\n3\t"));
  const auto all = graft::read_json(folder / "scores.json");
  const auto answers = graft::read_json(scored_models + "heads/single_label_roberta/case.json")["answers"];
  double loss = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) loss -= std::log(answers[i][labels[i] == "yes" ? 1 : 0].get<double>()) / 5;
  CHECK(all["loss"].get<double>() == Approx(loss).epsilon(1e-5));
  CHECK(all["rows"] == 5);
  CHECK(all["confusion"] == graft::json{{0, 3}, {0, 2}});
  CHECK(all["metrics"]["minor"]["acc"] == 0.4);
  REQUIRE(all["worst"].size() == 2);
  CHECK((all["worst"][0]["line"] == 3 && all["worst"][0]["row"] == 2 && all["worst"][0]["prediction"] == "yes"));

  graft::json task{{"task", "custom"}, {"name", "turned"}, {"kind", "classification"}, {"labels", {"YES", "NO"}}};
  task["paths"] = {{"val", folder / "val.jsonl"}};
  graft::write_file(folder / "val.jsonl", labeled_lines({"NO", "YES", "NO", "YES", "NO"}));
  graft::write_file(folder / "task.json", task.dump());
  const auto turned = score("heads/single_label_roberta", {"--task_config_path", folder / "task.json", "--output", folder / "scores.json"});
  CHECK(turned.exit_code == 0);
  CHECK_THAT(turned.err,
             Catch::Contains("the model's labels, but for capitals, are the task's: \"no\", \"yes\"; the task's are \"YES\", \"NO\""));
  CHECK(graft::read_json(folder / "scores.json")["confusion"] == graft::json{{2, 0}, {3, 0}});
  CHECK(graft::read_json(folder / "scores.json")["loss"].get<double>() == Approx(loss).epsilon(1e-5));
}

TEST_CASE("numbers and what is tuned are scored, too") {
  const temporary_folder folder;
  graft::write_file(folder / "rows.jsonl", labeled_lines({"0.5", "1", "-1", "0", "2"}));
  const auto numbers = score("heads/regression_bert", {"--input", folder / "rows.jsonl", "--output", folder / "scores.json"});
  INFO(numbers.err);
  REQUIRE(numbers.exit_code == 0);
  CHECK_THAT(numbers.out, Catch::Contains("pearson ") && !Catch::Contains("precision"));
  CHECK(graft::read_json(folder / "scores.json")["worst"].size() == 5);

  graft::write_file(folder / "rows.jsonl", labeled_lines({"no", "yes", "no", "yes", "no"}));
  const std::string lora = scored_models + "heads/lora_with_a_head_of_its_own_bert";
  const auto tuned =
      score("heads/lora_with_a_head_of_its_own_bert/base", {"--adapter_path", lora + "/tuned", "--input", folder / "rows.jsonl"});
  INFO(tuned.err);
  CHECK(tuned.exit_code == 0);
}

TEST_CASE("what cannot be scored is said in a line") {
  const temporary_folder folder;
  graft::write_file(folder / "rows.jsonl", labeled_lines({"no", "yes", "maybe", "yes", "no"}));
  const std::string model = "heads/single_label_roberta";
  CHECK_THAT(score(model, {"--input", folder / "rows.jsonl"}).err,
             Catch::Contains("rows.jsonl:3: label \"maybe\", expected one of \"no\", \"yes\""));
  CHECK_THAT(score(model, {"--input", scored_models + "rows.jsonl"}).err, Catch::Contains("label"));
  CHECK_THAT(score(model, {}).err, Catch::Contains("evaluate needs rows with labels"));
  CHECK_THAT(score(model, {"--adapter", "none", "--input", folder / "rows.jsonl"}).err,
             Catch::Contains("answers nothing that could be scored"));
  CHECK_THAT(score("bases/roberta", {"--input", folder / "rows.jsonl"}).err, Catch::Contains("evaluate needs --adapter_path"));
  graft::json task{{"task", "custom"}, {"name", "t"}, {"kind", "classification"}, {"labels", {"x", "y"}}};
  task["paths"] = {{"val", folder / "rows.jsonl"}};
  graft::write_file(folder / "task.json", task.dump());
  CHECK_THAT(score(model, {"--task_config_path", folder / "task.json"}).err,
             Catch::Contains("the model's labels are \"no\", \"yes\"; the task's are \"x\", \"y\""));
  task.erase("labels");
  task["kind"] = "regression";
  graft::write_file(folder / "task.json", task.dump());
  CHECK_THAT(score(model, {"--task_config_path", folder / "task.json"}).err,
             Catch::Contains("the model answers with one label, the task asks for a number"));
}
