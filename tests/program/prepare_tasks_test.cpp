#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/core/json.hpp"
#include "program/run.hpp"

using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

void write_rte(const temporary_folder& folder, const std::string& train) {
  std::filesystem::create_directories(folder / "glue/RTE");
  graft::write_file(folder / "glue/RTE/train.tsv", "index\tsentence1\tsentence2\tlabel\n" + train);
  graft::write_file(folder / "glue/RTE/dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tOne.\tTwo.\tnot_entailment\n");
}

}  // namespace

TEST_CASE("prepare-tasks writes a configuration for each task that is there, and counts the rows") {
  const temporary_folder folder;
  write_rte(folder, "0\tA cat sleeps.\tA cat is asleep.\tentailment\n1\tIt rains.\tIt is dry.\tnot_entailment\n");
  std::filesystem::create_directories(folder / "glue/CoLA");
  graft::write_file(folder / "glue/CoLA/test.tsv", "index\tsentence\n0\tBirds sing.\n");

  const auto result = run_graft({"prepare-tasks", "--input_base_path", folder / "glue", "--output_base_path", folder / "made/here"});
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  CHECK_THAT(result.out, Catch::Contains("rte            2         1         -\n"));
  CHECK_THAT(result.out, Catch::Contains("cola           -         -         1\n"));
  const auto config = graft::read_json(folder / "made/here/configs/rte.json");
  CHECK(config ==
        graft::json{{"task", "rte"}, {"paths", {{"train", folder / "glue/RTE/train.tsv"}, {"val", folder / "glue/RTE/dev.tsv"}}}});
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "made/here/configs"), {}) == 2);

  graft::write_file(folder / "made/here/configs/rte.json", "mine");
  const auto again = run_graft({"prepare-tasks", "--input_base_path", folder / "glue", "--output_base_path", folder / "made/here"});
  CHECK_THAT(again.err, Catch::Contains("rte.json: held something else, which is now in rte.json.old"));
  CHECK(graft::read_file(folder / "made/here/configs/rte.json.old") == "mine");
  CHECK(graft::read_json(folder / "made/here/configs/rte.json") == config);
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "made/here/configs"), {}) == 3);
}

TEST_CASE("prepare-tasks names what looks like a task and is not used, and rows that it left out") {
  const temporary_folder folder;
  write_rte(folder, "0\tA.\tB.\tentailment\n");
  for (const char* name : {"glue/MRPC", "glue/sst2", "glue/QQP"}) std::filesystem::create_directories(folder / name);
  graft::write_file(folder / "glue/MRPC/msr_paraphrase_train.txt", "x");
  graft::write_file(folder / "glue/sst2/train.tsv", "sentence\tlabel\na\t1\n");
  const std::string header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
  graft::write_file(folder / "glue/QQP/train.tsv", header + "1\t1\t2\ta\tb\t0\n2\tcut\n");
  graft::write_file(folder / "glue/QQP/dev.tsv", header + "1\t1\t2\ta\tb\t0\n");
  const auto result = run_graft({"prepare-tasks", "--input_base_path", folder / "glue", "--output_base_path", folder / "out"});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err,
             Catch::Contains("glue/MRPC: is not used: it has none of train.tsv") && Catch::Contains("msr_paraphrase_train.txt"));
  CHECK_THAT(result.err, Catch::Contains("glue/sst2: is not used: the folder of the task sst is called SST-2"));
  CHECK_THAT(result.err, Catch::Contains("QQP/train.tsv: left 1 row out that has too few columns: line 3"));
  CHECK_THAT(result.out,
             Catch::Contains("rte            1         1         -\n") && Catch::Contains("qqp            1         1         -\n"));
}

TEST_CASE("prepare-tasks names the file and line of a bad row, and then writes nothing") {
  const temporary_folder folder;
  const auto prepare = [&] {
    return run_graft({"prepare-tasks", "--glue_dir=" + (folder / "glue"), "--output_base_path=" + (folder / "out")});
  };
  write_rte(folder, "0\tA.\tB.\tentailment\n1\tA.\tB.\tmaybe\n");
  const auto label = prepare();
  CHECK(label.exit_code == 1);
  CHECK_THAT(label.err, Catch::Contains("RTE/train.tsv:3: label \"maybe\""));
  write_rte(folder, "0\tA.\tentailment\n");
  const auto row = prepare();
  CHECK(row.exit_code == 1);
  CHECK_THAT(row.err, Catch::Contains("RTE/train.tsv:2: "));
  std::filesystem::remove_all(folder / "glue/RTE");
  const auto nothing = prepare();
  CHECK(nothing.exit_code == 1);
  CHECK_THAT(nothing.err, Catch::Contains("glue: holds no GLUE files"));
  for (const auto& each : {label, row, nothing}) {
    CHECK(is_one_line_error(each.err));
    CHECK(each.out.empty());
  }
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_CASE("prepare-tasks refuses an output folder that it cannot make") {
  const temporary_folder folder;
  write_rte(folder, "0\tA.\tB.\tentailment\n");
  graft::write_file(folder / "taken", "");
  const auto result = run_graft({"prepare-tasks", "--glue_dir", folder / "glue", "--output_base_path", folder / "taken"});
  CHECK(result.exit_code == 1);
  CHECK(is_one_line_error(result.err));
  CHECK_THAT(result.err, Catch::Contains("taken/configs: cannot be made a folder"));
}
