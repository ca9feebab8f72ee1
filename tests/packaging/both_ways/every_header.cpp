// Two translation units include everything and link: no function is defined twice.

#include "graft/graft.hpp"

const void* task_seen_elsewhere();

int main() { return task_seen_elsewhere() == &graft::glue_tasks() ? 0 : 1; }
