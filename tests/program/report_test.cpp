#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "plot/runs_page.hpp"
#include "program/run.hpp"
#include "report/comparison.hpp"
#include "report/finished_runs.hpp"
#include "support/shared.hpp"

using namespace graft::program;
using graft_test::temporary_folder;

namespace {

constexpr int row_count = 60;

/// A task of two classes whose rows are all of the first, and its configuration.
std::string write_task(const temporary_folder& folder) {
  std::string rows = "text_a\tlabel\n";
  for (int i = 0; i < row_count; ++i) rows += "row " + std::to_string(i) + "\tyes\n";
  graft::write_file(folder / "val.tsv", rows);
  graft::write_file(
      folder / "task.json",
      R"({"task": "custom", "kind": "classification", "name": "asked", "labels": ["yes", "no"], "paths": {"val": "val.tsv"}})");
  return folder / "task.json";
}

/// The folder of a run that answered the first RIGHT rows of the task as they should be.
void write_run(const std::string& folder, const std::string& task, const char* rate, int seed, int right, const char* state = "finished") {
  std::filesystem::create_directories(folder + "/1");
  const std::string flags = "\"learning_rate\": " + std::string(rate) + ", \"seed\": " + std::to_string(seed);
  graft::write_file(folder + "/run.json", "{\"graft_run\": 1, \"state\": \"" + std::string(state) +
                                              "\", \"command\": \"train-adapter\", \"asked\": {" + flags +
                                              "}, \"reads\": {\"the model\": \"12\", \"the task's labels\": \"34\"}}");
  graft::write_file(folder + "/args.json", "{\"task_config_path\": \"" + task + "\", " + flags + "}");
  graft::write_file(folder + "/1/loss_train.zlog", "{\"global_step\": 1, \"loss_val\": 0.5}\n{\"global_step\": 2, \"loss_val\": 0.25}\n");
  const std::string score = std::to_string(right / double(row_count));
  graft::write_file(folder + "/val_metrics.json",
                    R"({"loss": 0.4, "metrics": {"major": )" + score + R"(, "minor": {"acc": )" + score + "}}}");
  std::string answers;
  for (int i = 0; i < row_count; ++i) answers += i < right ? "1,-1\n" : "-1,1.5\n";
  graft::write_file(folder + "/val_preds.csv", answers);
}

}  // namespace

TEST_CASE("runs that differ in their seed alone are one setting, and the best comes first") {
  const temporary_folder folder;
  const std::string task = write_task(folder);
  write_run(folder / "runs/a", task, "0.1", 1, 30);
  write_run(folder / "runs/b", task, "0.1", 2, 36);
  write_run(folder / "runs/deep/c", task, "0.2", 1, 54);
  write_run(folder / "runs/d", task, "0.2", 2, 60, "running");
  const found_runs found = find_runs({folder / "runs", folder / "runs/a"});
  REQUIRE(found.tasks.size() == 1);
  REQUIRE(found.tasks[0].settings.size() == 2);
  const auto& [best, other] = std::pair(found.tasks[0].settings[0], found.tasks[0].settings[1]);
  CHECK(best.name == "learning_rate 0.2");
  CHECK(best.runs.size() == 1);
  CHECK(other.name == "learning_rate 0.1");
  CHECK(other.runs.size() == 2);
  CHECK(other.median() == Approx(0.55));
  REQUIRE(found.notes.size() == 1);
  CHECK(found.notes[0] == (folder / "runs/d") + ": has not finished, so it is left out");
}

TEST_CASE("of settings with one median the one with the best mean comes first") {
  const temporary_folder folder;
  const std::string task = write_task(folder);
  for (const auto& [rate, scores] : {std::pair("0.1", std::array{20, 30, 36}), std::pair("0.2", std::array{28, 30, 50})}) {
    for (int seed = 0; seed < 3; ++seed)
      write_run(folder / rate + std::to_string(seed), task, rate, seed, scores[static_cast<std::size_t>(seed)]);
  }
  CHECK(find_runs({folder.path()}).tasks.at(0).settings.at(0).name == "learning_rate 0.2");
}

TEST_CASE("a difference is that of the means, with the spread that draws of rows give it") {
  const temporary_folder folder;
  const std::string task = write_task(folder);
  write_run(folder / "runs/a", task, "0.1", 1, 30);
  write_run(folder / "runs/b", task, "0.1", 2, 36);
  write_run(folder / "runs/c", task, "0.2", 1, 54);
  write_run(folder / "runs/d", task, "0.3", 1, 54);
  const found_runs found = find_runs({folder / "runs"});
  const auto& settings = found.tasks[0].settings;
  REQUIRE(settings.size() == 3);
  stored_answers answers(task);
  for (const auto& setting : settings) answers.add(setting);
  const score_difference same = answers.difference(1, 0, 4000);
  CHECK(same.value == 0);
  CHECK(same.p == 1);
  CHECK((same.low == 0 && same.high == 0));
  // of 60 rows 18 cost the worse one 1, 6 a half, 36 nothing: the mean of 60 draws has a deviation of sqrt((18 + 6 / 4) / 60 - 0.35^2) /
  // sqrt(60)
  const score_difference worse = answers.difference(2, 0, 4000);
  CHECK(worse.value == Approx(-0.35));
  const double deviation = std::sqrt((18 + 1.5) / 60 - 0.35 * 0.35) / std::sqrt(60.0);
  CHECK(worse.low == Approx(-0.35 - 1.96 * deviation).margin(0.012));
  CHECK(worse.high == Approx(-0.35 + 1.96 * deviation).margin(0.012));
  CHECK(worse.p == Approx(2.0 / 4001));
}

TEST_CASE("other validation rows are another task, and rows that changed since are not compared") {
  const temporary_folder folder;
  const std::string task = write_task(folder);
  write_run(folder / "runs/a", task, "0.1", 1, 30);
  write_run(folder / "runs/b", task, "0.2", 1, 54);
  write_run(folder / "runs/c", task, "0.1", 1, 30);
  graft::write_file(folder / "runs/b/val_report.json", R"({"rows": 60, "answers": "0123456789abcdef", "worst": []})");
  const found_runs found = find_runs({folder / "runs"});
  REQUIRE(found.tasks.size() == 2);
  CHECK(found.tasks[0].settings[0].runs.size() == 2);
  REQUIRE(found.notes.size() == 1);
  CHECK(found.notes[0] == (folder / "runs/c") + ": has the seed and the flags of " + (folder / "runs/a") + ": the same run twice?");
  CHECK_THROWS_WITH(stored_answers(task).add(found.tasks[1].settings[0]), Catch::Contains("was evaluated on other validation rows"));
}

TEST_CASE("a broken folder among others is named, and the rest compared") {
  const temporary_folder folder;
  const std::string task = write_task(folder);
  write_run(folder / "runs/a", task, "0.1", 1, 30);
  write_run(folder / "runs/b", task, "0.1", 2, 30);
  write_run(folder / "runs/c", task, "0.1", 3, 30);
  graft::write_file(folder / "runs/a/run.json", "{");
  std::filesystem::remove(folder / "runs/b/run.json");
  const found_runs found = find_runs({folder / "runs"});
  REQUIRE(found.notes.size() == 2);
  CHECK(found.notes[0].find("runs/a/run.json") != std::string::npos);
  CHECK(found.notes[1].find("runs/b/run.json") != std::string::npos);
  CHECK(found.tasks[0].settings[0].runs.size() == 1);
}

TEST_CASE("stored answers that do not fit the task's rows are refused by file and line") {
  const temporary_folder folder;
  const std::string task = write_task(folder);
  write_run(folder / "runs/a", task, "0.1", 1, 30);
  const run_setting setting = find_runs({folder / "runs/a"}).tasks[0].settings[0];
  graft::write_file(folder / "runs/a/val_preds.csv", "1,2\n1,2,3\n");
  CHECK_THROWS_WITH(stored_answers(task).add(setting), Catch::Contains("val_preds.csv:2: holds no 2 numbers, of 60 lines"));
  graft::write_file(folder / "runs/a/val_preds.csv", "1,2\nnan,2\n");
  CHECK_THROWS_WITH(stored_answers(task).add(setting), Catch::Contains("val_preds.csv:2: holds no 2 numbers"));
  graft::write_file(folder / "runs/a/val_preds.csv", "1,2\n1,2\n");
  CHECK_THROWS_WITH(stored_answers(task).add(setting), Catch::Contains("val_preds.csv: has 2 lines, 60 were expected"));
  CHECK_THROWS_WITH(find_runs({folder / "nothing"}), Catch::Contains("nothing: is no folder of runs"));
  std::filesystem::create_directories(folder / "empty");
  CHECK_THROWS_WITH(find_runs({folder / "empty"}), Catch::Contains("holds no finished run with a score"));
}

TEST_CASE("the median of curves counts those runs that have the step") {
  const series line = median_series({{{1, 2, 3}, {1, 1, 1}}, {{1, 3}, {3, 2}}, {{3}, {9}}});
  CHECK(line.x == std::vector<double>{1, 2, 3});
  CHECK(line.y == std::vector<double>{2, 1, 2});
}

TEST_CASE("graft report prints a table and writes a page") {
  const temporary_folder folder;
  const std::string task = write_task(folder);
  write_run(folder / "runs/a", task, "0.1", 1, 30);
  write_run(folder / "runs/b", task, "0.2", 1, 54);
  const auto result = graft_test::run_graft({"report", folder / "runs/a", folder / "runs/b", "--output", folder / "page.html"});
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  CHECK(result.out.find("learning_rate 0.2     1  0.9000  0.9000  0.9000  0.9000  0.4000\n") != std::string::npos);
  CHECK(result.out.find("learning_rate 0.1     1  0.5000  0.5000  0.5000  0.5000  0.4000  -0.4000 (") != std::string::npos);
  std::ifstream file(folder / "page.html");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  CHECK(page.find("learning_rate 0.2</td><td>1</td><td>0.9000</td>") != std::string::npos);
  CHECK(page.find("Training loss") != std::string::npos);
  // labels that cannot be read cost the comparison, not the table
  std::filesystem::remove(folder / "val.tsv");
  const auto without = graft_test::run_graft({"report", folder / "runs"});
  CHECK(without.exit_code == 0);
  CHECK(without.err.find("settings are not compared row by row") != std::string::npos);
  CHECK(without.out.find("learning_rate 0.1     1  0.5000") != std::string::npos);
}
