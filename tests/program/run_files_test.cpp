#include "run/run_files.hpp"

#include <catch2/catch.hpp>

#include "support/shared.hpp"

TEST_CASE("a submission holds a line for each row, and numbers of the task's range alone") {
  const graft_test::temporary_folder folder;
  graft::matrix<double> scores(4, 1);
  scores(0, 0) = 5.25;
  scores(1, 0) = -0.5;
  scores(2, 0) = 2.5;
  scores(3, 0) = 5;
  const auto stsb = *std::find_if(graft::glue_tasks().begin(), graft::glue_tasks().end(), [](const auto& t) { return t.name == "stsb"; });
  graft::program::write_submission(folder / "p.tsv", stsb, scores);
  CHECK(graft::read_file(folder / "p.tsv") == "index\tprediction\n0\t5\n1\t0\n2\t2.5\n3\t5\n");
  graft::program::write_submission(folder / "p.tsv", graft::custom_task("own", graft::task_kind::regression, {}), scores);
  CHECK(graft::read_file(folder / "p.tsv") == "index\tprediction\n0\t5.25\n1\t-0.5\n2\t2.5\n3\t5\n");
}
