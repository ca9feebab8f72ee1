#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "flags/grid.hpp"
#include "graft/core/error.hpp"
#include "program/run.hpp"
#include "support/shared.hpp"

using graft::ordered_json;
using graft::program::grid_commands;
using graft::program::shell_line;
using graft_test::temporary_folder;

namespace {

std::string refusal(const char* text) {
  try {
    grid_commands(ordered_json::parse(text), "grid.json");
  } catch (const graft::format_error& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a grid is each combination of the flags with several values, the last changing first") {
  const auto commands = grid_commands(
      ordered_json::parse(R"({"task_config_path": ["t/rte.json", "t/sst.json"], "output_dir": "runs", "model_path": "m", "do_train": true,
                              "seed": [1, 2], "lora_target": ["query", "key"], "warmup_steps": null})"),
      "grid.json");
  REQUIRE(commands.size() == 4);
  CHECK(shell_line(commands[0]) ==
        "train-adapter --task_config_path t/rte.json --output_dir runs/task_config_path-rte_seed-1 --model_path m --do_train --seed 1 "
        "--lora_target query,key");
  CHECK(commands[1][4] == "runs/task_config_path-rte_seed-2");
  CHECK(commands[2][2] == "t/sst.json");
  CHECK(commands[2][4] == "runs/task_config_path-sst_seed-1");
}

TEST_CASE("a list has several values when it is a list of lists, and folders that would have one name get two") {
  const auto commands =
      grid_commands(ordered_json::parse(R"({"task_config_path": ["a/rte.json", "b/rte.json"], "output_dir": "runs", "model_path": "m",
                              "lora_target": [["query"], ["query", "value"]], "no_shuffle": [true, false]})"),
                    "grid.json");
  REQUIRE(commands.size() == 8);
  CHECK(commands[0][4] == "runs/task_config_path-rte_lora_target-query_no_shuffle-true");
  CHECK(commands[4][4] == "runs/task_config_path-rte_lora_target-query_no_shuffle-true_2");
  CHECK(commands[7].back() == "--no_shuffle=false");
}

TEST_CASE("a flag that takes JSON has its object or list as text, and several values as a list of such") {
  const std::string around = R"({"task_config_path": "t", "output_dir": "o", "model_path": "m", "class_weights": )";
  const auto words = [&](const char* value) {
    std::vector<std::string> last;
    for (const auto& command : grid_commands(ordered_json::parse(around + value + "}"), "grid.json")) last.push_back(command.back());
    return last;
  };
  CHECK(words(R"([1, 2.5])") == std::vector<std::string>{"[1,2.5]"});
  CHECK(words(R"({"a": 2})") == std::vector<std::string>{R"({"a":2})"});
  CHECK(words(R"([[1, 2], {"a": 2}, "balanced"])") == std::vector<std::string>{"[1,2]", R"({"a":2})", "balanced"});
}

TEST_CASE("one run without lists keeps its folder, and words are what a shell reads as they were") {
  const auto commands = grid_commands(ordered_json::parse(R"({"command": "train-multi-adapter", "task_config_path": "it's a task.json",
                                                              "output_dir": "runs", "model_path": "m", "adapter_weights_path": "$HOME"})"),
                                      "grid.json");
  REQUIRE(commands.size() == 1);
  CHECK(shell_line(commands[0]) ==
        R"(train-multi-adapter --task_config_path 'it'\''s a task.json' --output_dir runs --model_path m --adapter_weights_path '$HOME')");
}

TEST_CASE("what a trainer would refuse is refused before the first run, with the grid's name") {
  const std::string around = R"("task_config_path": "t", "output_dir": "o", "model_path": "m")";
  CHECK(refusal("[]") == "grid.json: holds a JSON array, an object of flags was expected");
  CHECK(refusal(R"({"command": "predict"})") == "grid.json: \"command\" is \"predict\", train-adapter or train-multi-adapter was expected");
  CHECK(refusal(("{" + around + R"(, "learnin_rate": [1]})").c_str()).find("did you mean --learning_rate?") != std::string::npos);
  CHECK(refusal(("{" + around + R"(, "seed": [1, 2, 1]})").c_str()) == "grid.json: \"seed\" has the value 1 twice");
  CHECK(refusal(("{" + around + R"(, "seed": []})").c_str()) == "grid.json: \"seed\" has no value: []");
  CHECK(refusal(("{" + around + R"(, "adapter_size": [8, 0]})").c_str()).starts_with("grid.json: --adapter_size: 0 is out of range"));
  CHECK(refusal(("{" + around + R"(, "seed": [1, "1"]})").c_str()) == "grid.json: \"seed\" has the value \"1\" twice");
  CHECK(refusal(("{" + around + R"(, "seed": [1, null]})").c_str()).starts_with("grid.json: \"seed\" has null among its values"));
  CHECK(refusal(R"({"seed": [1, 2]})").starts_with("grid.json: --task_config_path, --output_dir, --model_path are missing"));
  CHECK(refusal(R"({"output_dir": ["a", "b"]})").starts_with("grid.json: \"output_dir\" is a list"));
}
