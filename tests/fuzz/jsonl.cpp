// JSON lines, with texts, ready-made ids or words.

#include "rows.hpp"

GRAFT_HARNESS(jsonl) {
  static const auto tasks = [] {
    auto all = graft_fuzz::own_tasks();
    all.push_back(graft_fuzz::tag_task());
    return all;
  }();
  graft_fuzz::read_rows(tasks, graft_fuzz::write("x.jsonl", {reinterpret_cast<const char*>(data), size}));
  return 0;
}
