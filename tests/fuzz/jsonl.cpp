// JSON lines, with texts or ready-made ids.

#include "rows.hpp"

GRAFT_HARNESS(jsonl) {
  static const auto tasks = graft_fuzz::own_tasks();
  graft_fuzz::read_rows(tasks, graft_fuzz::write("x.jsonl", {reinterpret_cast<const char*>(data), size}));
  return 0;
}
