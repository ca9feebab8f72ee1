// Words and their tags in columns.

#include "rows.hpp"

GRAFT_HARNESS(conll) {
  const auto path = graft_fuzz::write("x.conll", {reinterpret_cast<const char*>(data), size});
  graft_fuzz::read_rows({graft_fuzz::tag_task()}, path);
  return 0;
}
