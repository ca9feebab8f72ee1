// How runs end that do not finish: numbers that are none, files that change under them, signals that were ignored before.

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "graft/io/safetensors.hpp"
#include "program/training_material.hpp"

namespace {

namespace fs = std::filesystem;
using graft_test::is_one_line_error;
using graft_test::own_golden;
using graft_test::run_graft;
using graft_test::temporary_folder;
using graft_test::tiny_run;
using graft_test::with;

std::size_t steps_in(const std::string& output) { return fs::exists(output) ? graft_test::read_log(output, "loss_train").size() : 0; }

bool wait_for(const std::function<bool()>& what) {
  for (int i = 0; i < 20'000; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// Starts the program, lets DISTURB do its work once READY holds, and waits for the end: exit code and standard error.
std::pair<int, std::string> disturbed(std::vector<std::string> flags, const std::function<bool()>& ready,
                                      const std::function<void(pid_t)>& disturb) {
  const temporary_folder folder;
  const pid_t child = graft_test::start_graft(std::move(flags), [&](posix_spawn_file_actions_t* files) {
    ::posix_spawn_file_actions_addopen(files, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(files, 2, (folder / "err").c_str(), O_WRONLY | O_CREAT, 0600);
  });
  if (wait_for(ready)) disturb(child);
  const int exit_code = graft_test::end_of(child);
  return {exit_code, graft::read_file(folder / "err")};
}

/// The same once OUTPUT has a few steps.
std::pair<int, std::string> disturbed(const std::vector<std::string>& flags, const std::string& output,
                                      const std::function<void(pid_t)>& disturb) {
  return disturbed(
      flags, [&] { return steps_in(output) >= 5; }, disturb);
}

/// The golden task in FOLDER with so many rows to validate on that it takes a while.
std::string long_validation(const temporary_folder& folder) {
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  auto config = graft::read_json(task);
  std::string rows;
  for (int i = 0; i < 20'000; ++i) rows += R"({"input_ids":[0,5,6,7,2],"label":")" + config["labels"][0].get<std::string>() + "\"}\n";
  graft::write_file(folder / "many.jsonl", rows);
  config["paths"]["val"] = folder / "many.jsonl";
  graft::write_file(task, config.dump());
  return task;
}

}  // namespace

TEST_CASE("a run that diverges leaves its best parameters, its checkpoint and an exit code, and does not go there again") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  const auto run = with(tiny_run("train-adapter", task, output), {"--do_save", "--do_val", "--learning_rate", "1e12", "--warmup_proportion",
                                                                  "1", "--eval_every_steps", "1", "--save_every_steps", "1"});
  const auto result = run_graft(run);
  CHECK(result.exit_code == 3);
  CHECK(is_one_line_error(result.err));
  CHECK_THAT(result.err, Catch::Contains("training diverged at step ") && Catch::Contains("are saved"));
  REQUIRE(fs::exists(output + "/model.safetensors"));
  CHECK_FALSE(fs::exists(output + "/DONE"));
  const graft::safetensors_file saved(output + "/model.safetensors");
  CHECK_THAT(saved.metadata().at("graft_ended"), Catch::Contains("the parameters are those after step "));
  for (const auto& [name, info] : saved.tensors()) {
    for (const float value : saved.values<float>(name)) REQUIRE(std::isfinite(value));
  }
  const std::string before = graft::read_file(output + "/model.safetensors");
  for (const auto& again : {run, with(run, {"--resume"})}) {
    const auto refused = run_graft(again);
    CHECK(refused.exit_code == 1);
    CHECK_THAT(refused.err, Catch::Contains("holds a run that diverged (step "));
  }
  CHECK(graft::read_file(output + "/model.safetensors") == before);
}

TEST_CASE("a run whose model was saved does the rest, and trains nothing again") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  const auto run = with(tiny_run("train-adapter", task, output), {"--do_save", "--do_val", "--do_test", "--max_steps", "4"});
  REQUIRE(run_graft(run).exit_code == 0);
  const auto files = {"model.safetensors", "val_metrics.json", "val_preds.csv", "val_report.json", "test_predictions.tsv"};
  std::vector<std::string> expected;
  for (const char* name : files) expected.push_back(graft::read_file(output + "/" + name));
  for (const char* name : {"val_metrics.json", "val_preds.csv", "val_report.json", "test_preds.csv", "test_predictions.tsv", "DONE"})
    fs::remove(output + "/" + name);
  auto state = graft::read_json<graft::ordered_json>(output + "/run.json");
  state["state"] = "running";
  graft::write_file(output + "/run.json", state.dump());
  const auto result = run_graft(with(run, {"--threads", "2"}));
  CHECK(result.err.empty());
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, Catch::Contains("training is done"));
  CHECK(graft_test::read_log(output, "loss_train").size() == 4);
  std::size_t i = 0;
  for (const char* name : files) CHECK(graft::read_file(output + "/" + name) == expected[i++]);
  CHECK(fs::exists(output + "/DONE"));
}

TEST_CASE("a trunk that is written to while it trains a run is named, and a checkpoint of what came before is kept") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run", trunk = folder / "model.safetensors";
  fs::copy_file(own_golden() + "/model.safetensors", trunk);
  const auto run =
      with(tiny_run("train-adapter", task, output), {"--model_path", trunk, "--model_config_path", own_golden() + "/config.json",
                                                     "--do_save", "--num_train_epochs", "100000", "--eval_every_steps", "10"});
  const auto [code, err] = disturbed(run, output, [&](pid_t) { fs::resize_file(trunk, fs::file_size(trunk) - 8); });
  CHECK(code == 1);
  CHECK(is_one_line_error(err));
  CHECK_THAT(err, Catch::Contains(trunk + ": has been changed, replaced or removed"));
  CHECK_FALSE(fs::exists(output + "/model.safetensors"));
  CHECK(fs::exists(output + "/checkpoint.safetensors"));
}

TEST_CASE("a mapped trunk that is cut short is a line and an exit code") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run", trunk = folder / "model.safetensors";
  {
    // a table of words that is large enough to stay in its file
    const graft::safetensors_file small(own_golden() + "/model.safetensors");
    const std::string words = "roberta.embeddings.word_embeddings.weight";
    std::vector<float> rows = small.values<float>(words);
    rows.resize(20'000 * 8);
    graft::safetensors_writer large;
    for (const auto& [name, info] : small.tensors()) {
      if (name != words) large.add(name, info.shape, info.type, info.bytes, info.type);
    }
    large.add(words, {20'000, 8}, std::span<const float>(rows));
    large.write(trunk);
  }
  auto config = graft::read_json(own_golden() + "/config.json");
  config["vocab_size"] = 20'000;
  graft::write_file(folder / "config.json", config.dump());
  const auto run = with(tiny_run("train-adapter", task, output), {"--model_path", trunk, "--do_save", "--num_train_epochs", "100000"});
  const auto [code, err] = disturbed(run, output, [&](pid_t) { fs::resize_file(trunk, 8); });
  // whichever is met first: a page that is gone, or the check before a step is taken
  CHECK((code == 4 || code == 1));
  CHECK(is_one_line_error(err));
  CHECK_THAT(err, Catch::Contains(trunk + ": "));
  CHECK(fs::exists(output + "/checkpoint.safetensors"));
  CHECK_FALSE(fs::exists(output + "/model.safetensors"));
}

TEST_CASE("a run under nohup outlives its terminal, and one that is told to stop in the background stops") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  const auto run = with(tiny_run("train-adapter", task, output), {"--num_train_epochs", "100000"});
  std::signal(SIGHUP, SIG_IGN);  // as the program will find them
  std::signal(SIGINT, SIG_IGN);
  const auto [code, err] = disturbed(run, output, [&](pid_t child) {
    ::kill(child, SIGHUP);
    const std::size_t before = steps_in(output);
    CHECK(wait_for([&] { return steps_in(output) > before + 20; }));
    ::kill(child, SIGINT);
  });
  std::signal(SIGHUP, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  CHECK(code == 130);
  CHECK_THAT(err, Catch::Contains("--resume goes on from there"));
  CHECK(fs::exists(output + "/checkpoint.safetensors"));
}

TEST_CASE("a signal that comes twice at once stops a run once") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  const auto run = with(tiny_run("train-adapter", task, output), {"--num_train_epochs", "100000"});
  const auto [code, err] = disturbed(run, output, [](pid_t child) {
    ::kill(child, SIGTERM);
    ::usleep(2000);  // signals that wait together are one
    ::kill(child, SIGTERM);
  });
  CHECK(code == 130);
  CHECK_THAT(err, Catch::Contains("--resume goes on from there"));
  CHECK(fs::exists(output + "/checkpoint.safetensors"));
}

TEST_CASE("a run whose seed was drawn is resumed with it, and ends with the bits of one that was given it") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  auto run = with(tiny_run("train-adapter", task, output), {"--do_save", "--max_steps", "1000"});
  const auto seed = std::find(run.begin(), run.end(), "--seed") + 1;
  *seed = "-1";
  REQUIRE(disturbed(run, output, [](pid_t child) { ::kill(child, SIGINT); }).first == 130);
  const auto resumed = run_graft(with(run, {"--resume"}));
  CHECK(resumed.err.empty());
  REQUIRE(resumed.exit_code == 0);
  *seed = std::to_string(graft::read_json(output + "/run.json")["asked"]["seed"].get<std::int64_t>());
  CHECK(*seed != "-1");
  *(std::find(run.begin(), run.end(), "--output_dir") + 1) = folder / "whole";
  REQUIRE(run_graft(run).exit_code == 0);
  CHECK(graft::read_file(output + "/model.safetensors") == graft::read_file(folder / "whole/model.safetensors"));
}

TEST_CASE("an evaluation that is stopped, or whose model changes under it, costs neither the training nor a wrong number") {
  const temporary_folder folder;
  const std::string task = long_validation(folder), output = folder / "run", trunk = folder / "model.safetensors";
  fs::copy_file(own_golden() + "/model.safetensors", trunk);
  const auto run =
      with(tiny_run("train-adapter", task, output), {"--model_path", trunk, "--model_config_path", own_golden() + "/config.json",
                                                     "--do_save", "--do_val", "--eval_every_steps", "0", "--max_steps", "4"});
  const auto saved = [&] { return fs::exists(output + "/model.safetensors"); };
  const bool stops = GENERATE(true, false);
  const auto [code, err] = disturbed(run, saved, [&](pid_t child) {
    if (stops) {
      ::kill(child, SIGTERM);
    } else {
      fs::last_write_time(trunk, fs::last_write_time(trunk) + std::chrono::seconds(1));
    }
  });
  CHECK(code == (stops ? 130 : 1));
  CHECK_THAT(err,
             Catch::Contains(stops ? "the same command goes on with the evaluation" : trunk + ": has been changed, replaced or removed"));
  CHECK_FALSE(fs::exists(output + "/val_metrics.json"));
  const std::string trained = graft::read_file(output + "/model.safetensors");
  CHECK(run_graft(run).exit_code == 0);
  CHECK(fs::exists(output + "/val_metrics.json"));
  CHECK(graft::read_file(output + "/model.safetensors") == trained);
}
