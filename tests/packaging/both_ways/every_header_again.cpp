#include "graft/graft.hpp"

const void* task_seen_elsewhere();
const void* task_seen_elsewhere() { return &graft::glue_tasks(); }
