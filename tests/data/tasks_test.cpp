#include "graft/data/tasks.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

using graft_test::temporary_folder;

namespace {

const graft::task& glue(const std::string& name) {
  for (const graft::task& task : graft::glue_tasks()) {
    if (task.name == name) return task;
  }
  throw graft::config_error(name);
}

}  // namespace

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

TEST_CASE("labels become ids and targets, or an error that lists what was expected") {
  CHECK(graft::label_id(glue("rte"), "entailment", "f", 1) == 0);
  CHECK(graft::label_id(glue("mnli"), "neutral", "f", 1) == 2);
  CHECK_THROWS_WITH(graft::label_id(glue("rte"), "maybe", "dir/train.tsv", 9),
                    "dir/train.tsv:9: label \"maybe\", expected one of \"entailment\", \"not_entailment\"");
  CHECK_THROWS_WITH(graft::label_id(glue("mnli"), "2", "f", 3),
                    Catch::Contains("which of them a number stands for differs between loaders"));
  CHECK_THROWS_WITH(graft::label_id(glue("sst"),
                                    "\xEF\xBB\xBF"
                                    "1",
                                    "f", 3),
                    "f:3: label \"\\ufeff1\", expected one of \"0\", \"1\"; it holds U+FEFF, which cannot be seen: take it out");
  CHECK_THROWS_WITH(graft::label_id(glue("sst"), "1.0", "f", 3),
                    "f:3: label \"1.0\", expected one of \"0\", \"1\"; write \"1\" (a table's numbers become "
                    "fractions where one of them is missing)");
  CHECK_THROWS_WITH(graft::label_id(glue("sst"), "1\xE2\x80\x8B", "f", 3),
                    Catch::EndsWith("it holds U+200B, which cannot be seen: take it out"));
  CHECK_THROWS_WITH(graft::label_id(glue("sst"), "1\xC2\xA0", "f", 3),
                    Catch::EndsWith("it holds U+00A0, a space of another kind: take it out"));
  for (const char* text : {"1.0", " 1", "1 ", "", "-1"}) CHECK_THROWS_AS(graft::label_id(glue("sst"), text, "f", 3), graft::format_error);
  const auto score = graft::custom_task("score", graft::task_kind::regression, {});
  CHECK(graft::regression_target(glue("stsb"), "5.000", "f", 1) == 5);
  for (const char* text : {"5.001", "-0.1"}) {
    CHECK_THROWS_WITH(graft::regression_target(glue("stsb"), text, "f", 4),
                      "f:4: label \"" + std::string(text) + "\", a number from 0 to 5 was expected for stsb");
  }
  CHECK(graft::regression_target(score, "3.250", "f", 1) == 3.25);
  CHECK(graft::regression_target(score, "-1e-2", "f", 1) == -0.01);
  for (const char* text : {"", " 1", "1 ", "1,5", "nan", "inf", "1e999", "high", "+1"}) {
    INFO(text);
    CHECK_THROWS_WITH(graft::regression_target(score, text, "f", 4), "f:4: label \"" + std::string(text) + "\", a number was expected");
  }
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
  graft::write_task_config({graft::custom_task("topics", graft::task_kind::multi_label, {"news"}), {}}, path);
  const auto topics = graft::read_task_config(path);
  CHECK(topics.task.kind == graft::task_kind::multi_label);
  CHECK(topics.task.labels == std::vector<std::string>{"news"});
  CHECK(topics.task.major == "f1_micro");
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
  CHECK_THAT(refused(R"({"task": "rte", "labels": ["a", "b"], "paths": {}})"),
             Catch::Contains("has \"labels\", which only a task \"custom\" has"));
  CHECK_THAT(refused(R"({"task": "rte", "path": {}})"),
             Catch::Contains("has \"path\", which graft does not know; known are task, name, kind"));
  CHECK_THAT(refused(R"({"task": "custom", "name": "x", "kind": "classification", "labels": ["a\tb", "c"], "paths": {}})"),
             Catch::Contains("with a character that cannot be seen"));
  CHECK_THAT(refused(R"({"paths": {}})"), Catch::Contains("has no \"task\""));
  CHECK_THAT(refused(R"({"task": "rte"})"), Catch::Contains("has no \"paths\""));
  CHECK_THAT(refused(R"({"task": "rte", "paths": ["a"]})"), Catch::Contains("\"paths\" is [\"a\"]"));
  CHECK_THAT(refused(R"({"task": "rite", "paths": {}})"),
             Catch::Contains("\"task\" is \"rite\", expected one of cola, sst, mrpc, stsb, qqp,"));
  CHECK_THAT(refused(R"({"task": "rte", "paths": {"dev": "x"}})"),
             Catch::Contains("\"paths\" has \"dev\", expected some of train, val, test"));
  for (const std::string label : {"a,b", " a", ""}) {
    CHECK_THAT(refused(R"({"task": "custom", "name": "x", "kind": "multi_label", "labels": [")" + label + R"("], "paths": {}})"),
               Catch::Contains("a name without commas, and spaces around it, was expected"));
  }
  CHECK_THAT(refused(R"({"task": "custom", "name": "x", "kind": "multi_label", "paths": {}})"),
             Catch::Contains("one or more different ones"));
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
  const auto found = graft::find_glue_tasks(folder.path() + "/.").tasks;
  REQUIRE(found.size() == 2);
  CHECK(found[0].task.name == "sst");
  CHECK(found[0].paths == std::map<std::string, std::string>{{"val", folder / "SST-2/dev.jsonl"}});
  CHECK(found[1].paths == std::map<std::string, std::string>{{"val_mismatched", folder / "MNLI/dev_mismatched.tsv"},
                                                             {"test", folder / "MNLI/test_matched.tsv"}});
}

TEST_CASE("what looks like a task's files and is not used is named, with why") {
  const temporary_folder folder;
  const auto make = [&](const std::string& file) {
    std::filesystem::create_directories(std::filesystem::path(folder / file).parent_path());
    graft::write_file(folder / file, "x");
  };
  make("RTE/train.tsv");
  make("RTE/dev.tsv");
  CHECK(graft::find_glue_tasks(folder.path()).notes.empty());
  make("MRPC/msr_paraphrase_train.txt");
  make("QNLI/train.tsv");
  make("QNLI/dev.tsv");
  make("QNLI/test.TSV");
  make("sst2/train.tsv");
  make("STS-B/train.tsv");
  make("MNLI/train.tsv");
  make("MNLI/dev.tsv");
  make("CoLA/test.tsv");
  make("AX/diagnostic.tsv");
  make("WNLI/train.tsv");
  make("WNLI/train.jsonl");
  make("WNLI/dev.jsonl");
  std::filesystem::create_directory(folder / "empty");
  const auto found = graft::find_glue_tasks(folder.path());
  std::vector<std::string> notes;
  for (const auto& note : found.notes) notes.push_back(note.substr(folder.path().size() + 1));
  CHECK(notes ==
        std::vector<std::string>{
            "MRPC: is not used: it has none of train.tsv, dev.tsv, test.tsv; it has msr_paraphrase_train.txt, the corpus as published, "
            "of which GLUE's download script makes train.tsv, dev.tsv and test.tsv",
            "STS-B: has no dev.tsv, test.tsv",
            "MNLI: has no dev_matched.tsv, dev_mismatched.tsv, test_matched.tsv, test_mismatched.tsv; it has dev.tsv",
            "QNLI: has no test.tsv; it has test.TSV", "WNLI/train.jsonl: is not used, train.tsv beside it is",
            "AX: is not used: it is the folder of none of the nine tasks",
            "sst2: is not used: the folder of the task sst is called SST-2"});
  CHECK_THROWS_WITH(graft::find_glue_tasks(folder / "RTE"),
                    Catch::Contains("it has train.tsv or dev.tsv itself: give the folder above it"));
}

TEST_CASE("several labels at once stand between commas, in any order, none of them twice") {
  const auto topics = graft::custom_task("topics", graft::task_kind::multi_label, {"b c", "a", "d"});
  using ids = std::vector<std::int32_t>;
  CHECK(graft::label_ids(topics, "d,b c", "t.tsv", 2) == ids{0, 2});
  CHECK(graft::label_ids(topics, " a , d", "t.tsv", 2) == ids{1, 2});
  CHECK(graft::label_ids(topics, "", "t.tsv", 2).empty());
  CHECK_THROWS_WITH(graft::label_ids(topics, "a,", "t.tsv", 2), Catch::Contains("t.tsv:2: label \"\", expected one of \"b c\""));
  CHECK_THROWS_WITH(graft::label_ids(topics, "a,d,a", "t.tsv", 2), Catch::Contains("t.tsv:2: label \"a,d,a\" has \"a\" twice"));
}
