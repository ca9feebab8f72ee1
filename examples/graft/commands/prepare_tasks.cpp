// graft prepare-tasks: a GLUE folder -> one configuration a task, after all its files were read and their labels checked.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "graft/core/file.hpp"
#include "graft/core/printable.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/tasks.hpp"

namespace graft::program {
namespace {

std::string right_aligned(const std::string& text) { return std::string(10 - std::min<std::size_t>(10, text.size()), ' ') + text; }

/// "rte       2490       277      3000", and what else the task has: MNLI's mismatched files. NOTES gets what was left out.
/// @throws format_error  a file cannot be read, has a short row or an unknown label
std::string table_row(const task_config& config, std::vector<std::string>& notes) {
  std::string row = config.task.name + std::string(6 - config.task.name.size(), ' ');
  for (const auto& split : config.task.splits) {
    const auto path = config.paths.find(split.name);
    std::string count = "-";
    if (path != config.paths.end()) {
      std::vector<std::uint64_t> skipped;
      const auto examples = read_examples(config.task, split.name, path->second, &skipped);
      labeled(config.task, examples, std::vector<features>(examples.size()), path->second);
      count = std::to_string(examples.size());
      if (!skipped.empty()) notes.push_back(printable(path->second, 4000) + ": " + skipped_rows_text(skipped));
    }
    const bool usual = split.name == "train" || split.name == "val" || split.name == "test";
    if (usual) {
      row += right_aligned(count);
    } else if (count != "-") {
      row += "  " + split.name + ' ' + count;
    }
  }
  return row;
}

}  // namespace

int prepare_tasks(int argc, const char* const* argv) {
  std::string glue_folder;
  std::string output_folder;
  flag_table flags("prepare-tasks", "--input_base_path FOLDER --output_base_path FOLDER",
                   "Finds the GLUE tasks in a folder (CoLA, SST-2, MRPC, STS-B, QQP, MNLI, QNLI, RTE, WNLI, each a folder with train.tsv, "
                   "dev.tsv and test.tsv, or .jsonl), reads all their rows, and writes OUTPUT/configs/TASK.json for each: what "
                   "--task_config_path of the trainers takes. What looks like a task's and is not used is named on standard error.");
  flags.group("Folders");
  flags.add("input_base_path", &glue_folder, "The folder of the tasks' folders.").required();
  flags.add("glue_dir", &glue_folder, "Another name for input_base_path.");
  flags.add("output_base_path", &output_folder, "Where the folder configs is made.").required();
  if (!flags.parse(argc, argv)) return 0;

  storable(std::filesystem::absolute(glue_folder).string(), "input_base_path");
  auto found = find_glue_tasks(glue_folder);
  std::string table = "task       train       val      test\n";
  for (const auto& config : found.tasks) table += table_row(config, found.notes) + '\n';

  const std::string folder = (std::filesystem::absolute(output_folder) / "configs").lexically_normal().string();
  make_folder(folder);
  for (const auto& config : found.tasks) {
    const std::string path = folder + '/' + config.task.name + ".json";
    const std::string before = is_there(path) ? read_file(path) : "";
    write_task_config(config, path);
    if (before.empty() || before == read_file(path)) continue;
    write_file(path + ".old", before);  // changed by hand, perhaps
    found.notes.push_back(printable(path, 4000) + ": held something else, which is now in " + config.task.name + ".json.old");
  }
  for (const std::string& note : found.notes) std::cerr << "graft: " << note << '\n';
  std::cout << table << "configurations in " << printable(folder, 4000) << '\n';
  return 0;
}

}  // namespace graft::program
