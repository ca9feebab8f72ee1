#include "graft/data/tasks.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/shared.hpp"

using graft_test::temporary_folder;

namespace {

const graft::task& glue(const std::string& name) {
  for (const graft::task& task : graft::glue_tasks()) {
    if (task.name == name) return task;
  }
  throw graft::config_error(name);
}

/// N columns that say which they are: "c0 c1 ...".
std::string columns(int n) {
  std::string line = "c0";
  for (int i = 1; i < n; ++i) line += "\tc" + std::to_string(i);
  return line;
}

}  // namespace

TEST_CASE("every split of every GLUE task takes its columns") {
  struct row {
    const char *task, *split, *text_a, *text_b, *label;
    int columns;
    bool header;
  };
  const row rows[] = {
      {"cola", "train", "c3", "", "c1", 4, false},  {"cola", "val", "c3", "", "c1", 4, false},
      {"cola", "test", "c1", "", "", 2, true},      {"sst", "train", "c0", "", "c1", 2, true},
      {"sst", "val", "c0", "", "c1", 2, true},      {"sst", "test", "c1", "", "", 2, true},
      {"mrpc", "train", "c3", "c4", "c0", 5, true}, {"mrpc", "val", "c3", "c4", "c0", 5, true},
      {"mrpc", "test", "c3", "c4", "", 5, true},    {"stsb", "train", "c7", "c8", "c9", 10, true},
      {"stsb", "val", "c7", "c8", "c9", 10, true},  {"stsb", "test", "c7", "c8", "", 9, true},
      {"qqp", "train", "c3", "c4", "c5", 6, true},  {"qqp", "val", "c3", "c4", "c5", 6, true},
      {"qqp", "test", "c1", "c2", "", 3, true},     {"mnli", "train", "c8", "c9", "c11", 12, true},
      {"mnli", "val", "c8", "c9", "c15", 16, true}, {"mnli", "val_mismatched", "c8", "c9", "c15", 16, true},
      {"mnli", "test", "c8", "c9", "", 10, true},   {"mnli", "test_mismatched", "c8", "c9", "", 10, true},
      {"qnli", "train", "c1", "c2", "c3", 4, true}, {"qnli", "val", "c1", "c2", "c3", 4, true},
      {"qnli", "test", "c1", "c2", "", 3, true},    {"rte", "train", "c1", "c2", "c3", 4, true},
      {"rte", "val", "c1", "c2", "c3", 4, true},    {"rte", "test", "c1", "c2", "", 3, true},
      {"wnli", "train", "c1", "c2", "c3", 4, true}, {"wnli", "val", "c1", "c2", "c3", 4, true},
      {"wnli", "test", "c1", "c2", "", 3, true},
  };
  const temporary_folder folder;
  const std::string path = folder / "x.tsv";
  std::size_t splits = 0;
  for (const graft::task& task : graft::glue_tasks()) splits += task.splits.size();
  CHECK(std::size(rows) == splits);
  for (const row& r : rows) {
    INFO(r.task << " " << r.split);
    graft::write_file(path, (r.header ? "header\n" : "") + columns(r.columns) + "\n");
    const auto examples = graft::read_examples(glue(r.task), r.split, path);
    REQUIRE(examples.size() == 1);
    CHECK(examples[0].text_a == r.text_a);
    CHECK(examples[0].text_b.value_or("") == r.text_b);
    CHECK(examples[0].label.value_or("") == r.label);
    CHECK(examples[0].line == (r.header ? 2 : 1));
    // one column fewer is one too few
    graft::write_file(path, (r.header ? "header\n" : "") + columns(r.columns - 1) + "\n");
    const std::string message = std::string(r.task) == "qqp" ? "holds no rows" : std::to_string(r.columns) + " needed";
    CHECK_THROWS_WITH(graft::read_examples(glue(r.task), r.split, path), Catch::Contains(message));
  }
}

TEST_CASE("labels, metrics and outputs of the GLUE tasks") {
  using list = std::vector<std::string>;
  CHECK(graft::glue_tasks().size() == 9);
  CHECK(glue("mnli").labels == list{"contradiction", "entailment", "neutral"});
  CHECK(glue("rte").labels == list{"entailment", "not_entailment"});
  CHECK(glue("qnli").labels == list{"entailment", "not_entailment"});
  for (const char* name : {"cola", "sst", "mrpc", "qqp", "wnli"}) CHECK(glue(name).labels == list{"0", "1"});
  CHECK(glue("stsb").num_labels() == 1);
  CHECK(glue("mnli").num_labels() == 3);
  CHECK(glue("cola").major == "mcc");
  CHECK(glue("mrpc").metrics == list{"acc", "f1", "acc_and_f1"});
  CHECK(glue("qqp").major == "acc_and_f1");
  CHECK(glue("stsb").major == "pearson_and_spearman");
  for (const char* name : {"sst", "mnli", "qnli", "rte", "wnli"}) CHECK(glue(name).metrics == list{"acc"});
}

TEST_CASE("a short row is an error with file, line and columns, QQP's are counted") {
  const temporary_folder folder;
  const std::string path = folder / "train.tsv";
  graft::write_file(path, "header\n0\ta\tb\tentailment\n1\ta\tb\n");
  CHECK_THROWS_WITH(graft::read_examples(glue("rte"), "train", path), path + ":3: has 3 tab-separated column(s), 4 needed for rte train");
  graft::write_file(path, "header\n" + columns(6) + "\n" + columns(5) + "\nshort\n" + columns(6));
  std::size_t skipped = 0;
  const auto rows = graft::read_examples(glue("qqp"), "train", path, &skipped);
  CHECK(rows.size() == 2);
  CHECK(skipped == 2);
  CHECK(rows[1].line == 5);
}

TEST_CASE("files that are empty, not UTF-8, missing or of another kind are refused") {
  const temporary_folder folder;
  const auto read = [&](const std::string& name, const std::string& text) {
    graft::write_file(folder / name, text);
    return graft::read_examples(glue("rte"), "val", folder / name);
  };
  CHECK_THROWS_WITH(read("a.tsv", ""), Catch::Contains("a.tsv: is empty"));
  CHECK_THROWS_WITH(read("a.tsv", "header\n"), Catch::Contains("a.tsv: holds no rows"));
  CHECK_THROWS_WITH(read("a.jsonl", " \n"), Catch::Contains("a.jsonl: holds no rows"));
  CHECK_THROWS_WITH(read("a.tsv", "h\n0\ta\t\xFF\tentailment\n"), Catch::Contains("a.tsv:2: invalid UTF-8 at byte 5"));
  CHECK_THROWS_WITH(read("a.csv", "x"), Catch::Contains("ends in \".csv\", a .tsv or .jsonl file was expected"));
  CHECK_THROWS_WITH(graft::read_examples(glue("rte"), "val", folder / "absent.tsv"), Catch::Contains("absent.tsv: cannot be opened"));
  CHECK_THROWS_WITH(graft::read_examples(glue("rte"), "dev", folder / "a.tsv"), Catch::Contains("no split \"dev\""));
}

TEST_CASE("GLUE tasks from JSON lines") {
  const temporary_folder folder;
  const std::string path = folder / "rows.jsonl";
  graft::write_file(path,
                    "{\"text_a\": \"p\", \"text_b\": \"h\", \"label\": \"not_entailment\"}\n{\"text_a\": \"p\", \"text_b\": \"h\"}\n");
  const auto rows = graft::read_examples(glue("rte"), "test", path);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].text_b == "h");
  CHECK_FALSE(rows[0].label.has_value());
  CHECK_THROWS_WITH(graft::read_examples(glue("rte"), "train", path), path + ":2: has no \"label\"");
}

TEST_CASE("labels become ids and targets, or an error that lists what was expected") {
  CHECK(graft::label_id(glue("rte"), "entailment", "f", 1) == 0);
  CHECK(graft::label_id(glue("mnli"), "neutral", "f", 1) == 2);
  CHECK_THROWS_WITH(graft::label_id(glue("rte"), "maybe", "dir/train.tsv", 9),
                    "dir/train.tsv:9: label \"maybe\", expected one of \"entailment\", \"not_entailment\"");
  CHECK(graft::regression_target("3.250", "f", 1) == 3.25);
  CHECK(graft::regression_target("-1e-2", "f", 1) == -0.01);
  for (const char* text : {"", " 1", "1 ", "1,5", "nan", "inf", "1e999", "high", "+1"}) {
    INFO(text);
    CHECK_THROWS_WITH(graft::regression_target(text, "f", 4), "f:4: label \"" + std::string(text) + "\", a number was expected");
  }
}

TEST_CASE("a custom TSV names its columns, in any order") {
  const temporary_folder folder;
  const std::string path = folder / "x.tsv";
  const auto task = graft::custom_task("mood", graft::task_kind::classification, {"no", "yes"});
  graft::write_file(path, "\xEF\xBB\xBFlabel\tid\ttext_b\ttext_a\r\nyes\t7\tsecond\tfirst \"quoted\r\n");
  const auto rows = graft::read_examples(task, "train", path);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].text_a == "first \"quoted");
  CHECK(rows[0].text_b == "second");
  CHECK(rows[0].label == "yes");
  CHECK_FALSE(graft::read_examples(task, "test", path)[0].label.has_value());
  graft::write_file(path, "text_a\nalone\n");
  CHECK_FALSE(graft::read_examples(task, "test", path)[0].text_b.has_value());
  CHECK_THROWS_WITH(graft::read_examples(task, "train", path), Catch::Contains("x.tsv:1: the header names no column \"label\""));
  graft::write_file(path, "sentence\tlabel\nalone\tyes\n");
  CHECK_THROWS_WITH(graft::read_examples(task, "train", path), Catch::Contains("x.tsv:1: the header names no column \"text_a\""));
}

TEST_CASE("a task configuration survives writing and reading") {
  const temporary_folder folder;
  const std::string path = folder / "task.json";
  graft::write_task_config({glue("mnli"), {{"train", "/t.tsv"}, {"val_mismatched", "/m.jsonl"}}}, path);
  const auto mnli = graft::read_task_config(path);
  CHECK(mnli.task.name == "mnli");
  CHECK(mnli.task.labels.size() == 3);
  CHECK(mnli.paths == std::map<std::string, std::string>{{"train", "/t.tsv"}, {"val_mismatched", "/m.jsonl"}});

  graft::write_task_config({graft::custom_task("mood", graft::task_kind::classification, {"no", "yes"}), {{"train", "/t.tsv"}}}, path);
  const auto mood = graft::read_task_config(path);
  CHECK(mood.task.custom());
  CHECK(mood.task.name == "mood");
  CHECK(mood.task.labels == std::vector<std::string>{"no", "yes"});
  CHECK(mood.task.metrics == std::vector<std::string>{"acc", "f1", "mcc"});
  CHECK(mood.task.major == "acc");

  graft::write_task_config({graft::custom_task("score", graft::task_kind::regression, {}), {}}, path);
  const auto score = graft::read_task_config(path);
  CHECK(score.task.kind == graft::task_kind::regression);
  CHECK(score.task.num_labels() == 1);
  CHECK(score.task.major == "pearson_and_spearman");
  CHECK(score.paths.empty());
  CHECK(graft::custom_task("c", graft::task_kind::classification, {"a", "b", "c"}).metrics == std::vector<std::string>{"acc"});
}

TEST_CASE("relative paths are tried from the working directory, then beside the file that names them") {
  const temporary_folder folder;
  std::filesystem::create_directory(folder / "data");
  graft::write_file(folder / "data/train.tsv", "x");
  graft::write_file(folder / "task.json",
                    R"({"task": "rte", "paths": {"train": "data/train.tsv", "val": "data/absent.tsv", "test": "/a/b.tsv"}})");
  const auto config = graft::read_task_config(folder / "task.json");
  CHECK(config.paths.at("train") == folder / "data/train.tsv");
  CHECK(config.paths.at("val") == "data/absent.tsv");
  CHECK(config.paths.at("test") == "/a/b.tsv");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  CHECK(graft::resolve_path("data/train.tsv", "/elsewhere/task.json") == "data/train.tsv");
  std::filesystem::current_path(before);
}

TEST_CASE("a task configuration with mistakes is refused by name") {
  const temporary_folder folder;
  const std::string path = folder / "task.json";
  const auto refused = [&](const std::string& text) {
    graft::write_file(path, text);
    try {
      graft::read_task_config(path);
    } catch (const graft::format_error& failure) {
      return std::string(failure.what());
    }
    return std::string("nothing was thrown");
  };
  CHECK_THAT(refused("{\"task\": \"rte\""), Catch::Contains("is not valid JSON"));
  CHECK_THAT(refused("[]"), Catch::Contains("an object was expected"));
  CHECK_THAT(refused(R"({"paths": {}})"), Catch::Contains("has no \"task\""));
  CHECK_THAT(refused(R"({"task": "rte"})"), Catch::Contains("has no \"paths\""));
  CHECK_THAT(refused(R"({"task": "rte", "paths": ["a"]})"), Catch::Contains("\"paths\" is [\"a\"]"));
  CHECK_THAT(refused(R"({"task": "rite", "paths": {}})"),
             Catch::Contains("\"task\" is \"rite\", expected one of cola, sst, mrpc, stsb, qqp,"));
  CHECK_THAT(refused(R"({"task": "rte", "paths": {"dev": "x"}})"),
             Catch::Contains("\"paths\" has \"dev\", expected some of train, val, test"));
  CHECK_THAT(refused(R"({"task": "custom", "name": "x", "kind": "ranking", "paths": {}})"), Catch::Contains("\"kind\" is \"ranking\""));
  CHECK_THAT(refused(R"({"task": "custom", "name": "x", "kind": "classification", "paths": {}})"),
             Catch::Contains("two or more different"));
  CHECK_THAT(refused(R"({"task": "custom", "name": "x", "kind": "classification", "labels": [1, 0, "1"], "paths": {}})"),
             Catch::Contains("\"labels\" is [\"1\", \"0\", \"1\"], two or more different"));
  CHECK_THAT(refused(R"({"task": "custom", "name": "x", "kind": "regression", "labels": ["a"], "paths": {}})"),
             Catch::Contains("has \"labels\""));
  CHECK_THAT(refused(R"({"task": "custom", "kind": "regression", "paths": {}})"), Catch::Contains("has no \"name\""));
}

TEST_CASE("GLUE folders are found by their published names, with the files that are there") {
  const temporary_folder folder;
  CHECK_THROWS_WITH(graft::find_glue_tasks(folder.path()), Catch::Contains("holds no GLUE files; expected train.tsv"));
  CHECK_THROWS_WITH(graft::find_glue_tasks(folder / "absent"), Catch::Contains("is not a folder"));
  for (const char* name : {"MNLI", "SST-2"}) std::filesystem::create_directory(folder / name);
  graft::write_file(folder / "SST-2/dev.jsonl", "x");
  graft::write_file(folder / "MNLI/dev_mismatched.tsv", "x");
  graft::write_file(folder / "MNLI/test_matched.tsv", "x");
  graft::write_file(folder / "MNLI/test_matched.jsonl", "x");
  const auto found = graft::find_glue_tasks(folder.path() + "/.");
  REQUIRE(found.size() == 2);
  CHECK(found[0].task.name == "sst");
  CHECK(found[0].paths == std::map<std::string, std::string>{{"val", folder / "SST-2/dev.jsonl"}});
  CHECK(found[1].paths == std::map<std::string, std::string>{{"val_mismatched", folder / "MNLI/dev_mismatched.tsv"},
                                                             {"test", folder / "MNLI/test_matched.tsv"}});
}

TEST_CASE("published GLUE data: row counts, ends and labels") {
  const std::string root = graft_test::shared_path("data/glue");
  if (root.empty()) return;
  const std::map<std::string, std::map<std::string, std::size_t>> counts{
      {"rte", {{"train", 2490}, {"val", 277}, {"test", 3000}}},
      {"mrpc", {{"train", 3668}, {"val", 408}, {"test", 1725}}},
      {"cola", {{"train", 8551}, {"val", 1043}, {"test", 1063}}},
      {"stsb", {{"train", 5749}, {"val", 1500}, {"test", 1379}}},
      {"sst", {{"train", 67349}, {"val", 872}, {"test", 1821}}},
      {"wnli", {{"train", 635}, {"val", 71}, {"test", 146}}},
      {"qnli", {{"val", 5463}, {"test", 5463}}},
  };
  std::size_t seen = 0;
  for (const auto& [task, paths] : graft::find_glue_tasks(root)) {
    for (const auto& [split, path] : paths) {
      INFO(task.name << " " << split);
      std::size_t skipped = 0;
      const auto rows = graft::read_examples(task, split, path, &skipped);
      CHECK(rows.size() == counts.at(task.name).at(split));
      CHECK(skipped == 0);
      const bool header = task.name != "cola" || split == "test";
      CHECK(rows.front().line == (header ? 2 : 1));
      CHECK(rows.back().line == rows.size() + (header ? 1 : 0));
      const bool pair = task.name != "cola" && task.name != "sst";
      std::size_t bad = 0;
      for (const auto& row : rows) {
        bad += row.text_a.empty() || row.text_b.has_value() != pair || (pair && row.text_b->empty());
        bad += row.label.has_value() == (split == "test");
        if (row.label && task.kind == graft::task_kind::classification) graft::label_id(task, *row.label, path, row.line);
        if (row.label && task.kind == graft::task_kind::regression) {
          const double target = graft::regression_target(*row.label, path, row.line);
          bad += target < 0 || target > 5;
        }
      }
      CHECK(bad == 0);
      ++seen;
    }
  }
  CHECK(seen == 20);
}
