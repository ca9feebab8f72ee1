// Tab-separated rows, as tasks of one's own and as the tasks of GLUE that differ in how they are read.

#include "graft/data/tasks.hpp"
#include "rows.hpp"

GRAFT_HARNESS(tsv) {
  const auto path = graft_fuzz::write("x.tsv", {reinterpret_cast<const char*>(data), size});
  static const auto tasks = [] {
    auto all = graft_fuzz::own_tasks();
    for (const auto& task : graft::glue_tasks()) {
      // no header, numbers, short rows, many columns
      if (task.name == "cola" || task.name == "stsb" || task.name == "qqp" || task.name == "mnli") all.push_back(task);
    }
    for (auto& task : all) std::erase_if(task.splits, [](const auto& split) { return split.name == "val"; });  // read as train
    return all;
  }();
  graft_fuzz::read_rows(tasks, path);
  return 0;
}
