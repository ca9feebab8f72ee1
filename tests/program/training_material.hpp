#pragma once
// A task and a tiny trunk on disk, as a user of the trainers has them.

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "graft/core/json.hpp"
#include "program/run.hpp"

namespace graft_test {

/// Writes FOLDER/NAME.jsonl and FOLDER/NAME.json, a custom task whose rows are the batches of a golden folder, in order, as ready-made ids.
inline std::string write_golden_task(const std::string& golden, const std::string& folder, const std::string& name = "task") {
  const auto input = graft::read_json(golden + "/input.json");
  std::string rows;
  for (const auto& b : input["batches"]) {
    for (std::size_t i = 0; i < b["input_ids"].size(); ++i) {
      graft::json ids = graft::json::array(), types = graft::json::array();
      const bool segments = b.contains("token_type_ids");
      for (std::size_t t = 0; t < b["input_ids"][i].size(); ++t) {
        if (b["attention_mask"][i][t] != 1) continue;
        ids.push_back(b["input_ids"][i][t]);
        if (segments) types.push_back(b["token_type_ids"][i][t]);
      }
      graft::json row{{"input_ids", ids}, {"label", b["labels"][i]}};
      if (segments) row["token_type_ids"] = types;
      rows += row.dump() + "\n";
    }
  }
  graft::write_file(folder + "/" + name + ".jsonl", rows);
  const int labels = graft::read_json(golden + "/config.json")["num_labels"];
  graft::json task{{"task", "custom"}, {"name", name}, {"kind", labels == 1 ? "regression" : "classification"}};
  for (int k = 0; k < labels && labels > 1; ++k) task["labels"].push_back(std::to_string(k));
  for (const char* split : {"train", "val", "test"}) task["paths"][split] = folder + "/" + name + ".jsonl";
  graft::write_file(folder + "/" + name + ".json", task.dump());
  return folder + "/" + name + ".json";
}

/// The lines of FOLDER/<seconds>/KEY.zlog, over all time folders in order.
inline std::vector<graft::json> read_log(const std::string& folder, const std::string& key) {
  std::vector<std::string> parts;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string path = entry.path().string() + "/" + key + ".zlog";
    if (std::filesystem::exists(path)) parts.push_back(path);
  }
  std::sort(parts.begin(), parts.end());
  std::vector<graft::json> lines;
  for (const auto& part : parts) {
    std::string text = graft::read_file(part);
    while (!text.empty()) {
      const auto end = text.find('\n');
      lines.push_back(graft::json::parse(text.substr(0, end)));
      text.erase(0, end + 1);
    }
  }
  return lines;
}

/// Starts the program, waits until COUNT losses are logged, sends SIGINT; returns the exit code.
inline int interrupt(std::vector<std::string> flags, const std::string& output, std::size_t count) {
  const pid_t child = start_graft(std::move(flags), [](posix_spawn_file_actions_t* files) {
    for (const int stream : {1, 2}) ::posix_spawn_file_actions_addopen(files, stream, "/dev/null", O_WRONLY, 0);
  });
  for (int i = 0; i < 20000; ++i) {
    if (std::filesystem::exists(output) && read_log(output, "loss_train").size() >= count) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ::kill(child, SIGINT);
  return end_of(child);
}

inline std::string own_golden() { return std::string(GRAFT_TEST_DIR) + "/golden/model"; }

/// Flags of a training run on the tiny trunk of the project's own goldens; add --output_dir and what else differs.
inline std::vector<std::string> tiny_run(const std::string& command, const std::string& task, const std::string& output) {
  return {command,
          "--task_config_path",
          task,
          "--model_path",
          own_golden() + "/model.safetensors",
          "--output_dir",
          output,
          "--do_train",
          "--max_seq_length",
          "10",
          "--seed",
          "5",
          "--learning_rate",
          "1e-3",
          "--threads",
          "1",
          "--train_batch_size",
          "3"};
}

inline std::vector<std::string> with(std::vector<std::string> flags, const std::vector<std::string>& more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

}  // namespace graft_test
