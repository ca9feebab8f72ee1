#include "graft/data/example_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

using graft_test::temporary_folder;

namespace {

const graft::task& glue_task(const std::string& name) {
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

/// The first line of GLUE's files.
std::string header_of(const std::string& task, const std::string& split) {
  const bool test = split.starts_with("test");
  if (task == "cola" || task == "sst") return test ? "index\tsentence" : "sentence\tlabel";
  if (task == "mrpc") return (test ? "index" : "Quality") + std::string("\t#1 ID\t#2 ID\t#1 String\t#2 String");
  if (task == "stsb") {
    return "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2" + std::string(test ? "" : "\tscore");
  }
  if (task == "qqp") return test ? "id\tquestion1\tquestion2" : "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate";
  if (task == "mnli") {
    std::string text = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse";
    text += "\tsentence1\tsentence2";
    if (split.starts_with("val")) text += "\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label";
    return split == "train" ? text + "\tlabel1\tgold_label" : text;
  }
  const std::string texts = task == "qnli" ? "question\tsentence" : "sentence1\tsentence2";
  return "index\t" + texts + (test ? "" : "\tlabel");
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
    const std::string header = r.header ? header_of(r.task, r.split) + '\n' : "";
    graft::write_file(path, header + columns(r.columns) + "\n");
    const auto examples = graft::read_examples(glue_task(r.task), r.split, path);
    REQUIRE(examples.size() == 1);
    CHECK(examples[0].text_a == r.text_a);
    CHECK(examples[0].text_b.value_or("") == r.text_b);
    CHECK(examples[0].label.value_or("") == r.label);
    CHECK(examples[0].line == (r.header ? 2 : 1));
    // one column fewer is one too few, one more is one too many
    const std::string wanted = std::to_string(r.columns) + (r.header ? " as in the header were expected" : " for cola ");
    for (const int other : {r.columns - 1, r.columns + 1}) {
      graft::write_file(path, header + columns(other) + "\n");
      CHECK_THROWS_WITH(graft::read_examples(glue_task(r.task), r.split, path),
                        Catch::Contains("has " + std::to_string(other) + " tab-separated columns, " + wanted));
    }
  }
}

TEST_CASE("QQP's short rows are left out where labels are, by line and on request, where rows are numbered they are refused") {
  const temporary_folder folder;
  const std::string path = folder / "train.tsv";
  graft::write_file(path, header_of("qqp", "train") + "\n" + columns(6) + "\n" + columns(5) + "\nshort\n" + columns(6));
  std::vector<std::uint64_t> skipped;
  const auto rows = graft::read_examples(glue_task("qqp"), "train", path, &skipped);
  CHECK(rows.size() == 2);
  CHECK(skipped == std::vector<std::uint64_t>{3, 4});
  CHECK(rows[1].line == 5);
  CHECK(graft::skipped_rows_text(skipped) == "left 2 rows out that have too few columns: line 3, 4");
  CHECK(graft::skipped_rows_text({7}) == "left 1 row out that has too few columns: line 7");
  CHECK_THAT(graft::skipped_rows_text(std::vector<std::uint64_t>(12, 1)), Catch::EndsWith("1, 1 and 2 more"));
  CHECK_THROWS_WITH(graft::read_examples(glue_task("qqp"), "train", path),
                    Catch::StartsWith(path + ":3: has 5 tab-separated columns, 6 as in"));
  graft::write_file(path, header_of("qqp", "test") + "\n0\ta\tb\n1\tcut\n");
  CHECK_THROWS_WITH(graft::read_examples(glue_task("qqp"), "test", path, &skipped),
                    Catch::StartsWith(path + ":3: has 2 ") && Catch::Contains("the answers that follow would belong to other rows"));
  graft::write_file(path, header_of("rte", "train") + "\n0\t\"a\n");
  CHECK_THROWS_WITH(graft::read_examples(glue_task("rte"), "train", path, &skipped),
                    Catch::Contains("does a text with a line break in it begin here?"));
}

TEST_CASE("a GLUE file whose first line is no header, or whose columns moved, is refused: a row or a text would be lost") {
  const temporary_folder folder;
  const std::string path = folder / "x.tsv";
  const auto refused = [&](const std::string& task, const std::string& split, const std::string& text) {
    graft::write_file(path, text);
    CHECK_THROWS_WITH(graft::read_examples(glue_task(task), split, path),
                      Catch::StartsWith(path + ":1: the header of " + task + " " + split + " "));
  };
  refused("rte", "test", "0\tThe cat sleeps.\tIt is asleep.\n");
  refused("rte", "train", "index\tlabel\tsentence1\tsentence2\n0\tentailment\ta\tb\n");
  refused("qnli", "train", "index\tsentence\tquestion\tlabel\n0\ta\tb\tentailment\n");
  refused("mnli", "val", header_of("mnli", "test") + "\n");
  refused("sst", "test", header_of("sst", "train") + "\na\t1\n");
}

TEST_CASE("files that are empty, not UTF-8, missing or of another kind are refused") {
  const temporary_folder folder;
  const auto read = [&](const std::string& name, const std::string& text) {
    graft::write_file(folder / name, text);
    return graft::read_examples(glue_task("rte"), "val", folder / name);
  };
  CHECK_THROWS_WITH(read("a.tsv", ""), Catch::Contains("a.tsv: is empty"));
  CHECK_THROWS_WITH(read("a.tsv", header_of("rte", "val") + "\n"), Catch::Contains("a.tsv: holds no rows"));
  CHECK_THROWS_WITH(read("a.jsonl", " \n"), Catch::Contains("a.jsonl: holds no rows"));
  CHECK_THROWS_WITH(read("a.tsv", header_of("rte", "val") + "\n0\ta\t\xFF\tentailment\n"),
                    Catch::Contains("a.tsv:2: invalid UTF-8 at byte 5"));
  CHECK_THROWS_WITH(read("a.csv", "x"),
                    Catch::Contains("ends in \".csv\", a .tsv or .jsonl file was expected: save the rows separated by tabs"));
  CHECK_THROWS_WITH(read("a.conllu", "x"), Catch::EndsWith("words in columns are read from a .conll, .bio, .iob, .iob2 or .bioes"));
  CHECK_THROWS_WITH(graft::read_examples(glue_task("rte"), "val", folder / "absent.tsv"), Catch::Contains("absent.tsv: cannot be opened"));
  CHECK_THROWS_WITH(graft::read_examples(glue_task("rte"), "dev", folder / "a.tsv"), Catch::Contains("no split \"dev\""));
  CHECK_THROWS_WITH(read("old.tsv", "index\tsentence1\tsentence2\tlabel\r0\ta\tb\tentailment\r"),
                    Catch::Contains("line ends are \\r alone"));
  CHECK_THROWS_WITH(read("b.jsonl", "<!DOCTYPE html>\n"), Catch::Contains("is a web page"));
  CHECK(read("big.TSV", header_of("rte", "val") + "\n0\ta\tb\tentailment\n\n\n").size() == 1);
}

TEST_CASE("GLUE tasks from JSON lines") {
  const temporary_folder folder;
  const std::string path = folder / "rows.jsonl";
  graft::write_file(path,
                    "{\"text_a\": \"p\", \"text_b\": \"h\", \"label\": \"not_entailment\"}\n{\"text_a\": \"p\", \"text_b\": \"h\"}\n");
  const auto rows = graft::read_examples(glue_task("rte"), "test", path);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].text_b == "h");
  CHECK_FALSE(rows[0].label.has_value());
  CHECK_THROWS_WITH(graft::read_examples(glue_task("rte"), "train", path), path + ":2: has no \"label\"");
  graft::write_file(path, "{\"text_a\": \"p\", \"label\": \"entailment\"}\n");
  CHECK_THROWS_WITH(graft::read_examples(glue_task("rte"), "train", path),
                    Catch::Contains(":1: has no \"text_b\", the second text that each row of rte has"));
  graft::write_file(path, "{\"text_a\": \"p\", \"text_b\": \"q\", \"label\": 1}\n");
  CHECK_THROWS_WITH(graft::read_examples(glue_task("sst"), "train", path),
                    Catch::Contains(":1: has a \"text_b\", a row of sst has one text"));
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
  CHECK_THROWS_WITH(graft::read_examples(task, "train", path),
                    Catch::Contains("x.tsv:1: the header has a field that graft does not know: \"sentence\" (here: text_a or text_b)"));
  const auto refused = [&](const std::string& text, const std::string& split = "test") {
    graft::write_file(path, text);
    try {
      graft::read_examples(task, split, path);
    } catch (const graft::format_error& failure) {
      return std::string(failure.what()).substr(path.size());
    }
    return std::string("taken");
  };
  CHECK_THAT(refused("text_a\ttext_b\na\tb\tc\n"),
             Catch::StartsWith(":2: has 3 tab-separated columns, 2 as in the header were expected; is there a tab"));
  CHECK_THAT(refused("text_a\ttext_b\na\tb\t\n"), Catch::StartsWith(":2: has 3") && Catch::Contains("the rest is empty"));
  CHECK_THAT(refused("text_a\thypothesis\na\tb\n"),
             Catch::StartsWith(":1: the header has a field that graft does not know: \"hypothesis\" (here: text_b)"));
  CHECK_THAT(refused("text_a\ttext_a\na\tb\n"), Catch::Contains(":1: the header names the column \"text_a\" twice"));
  CHECK_THAT(refused("\"text_a\"\n\"a\"\n"), Catch::Contains("without quotes, spaces or capitals"));
  CHECK_THAT(refused("text_a\t\na\tb\n"), Catch::StartsWith(":2: has \"b\" in column 2, for which the header has no name"));
  CHECK_THAT(refused("\ttext_a\nx\ta\n"), Catch::StartsWith(":2: has \"x\" in column 1"));
  CHECK_THAT(refused("text_a\tlabel\na\tyes\n\nb\tno\n", "train"), Catch::StartsWith(":3: is blank, and rows follow"));
  CHECK_THAT(refused("text_a\ttext_b\na\tb\ntext_a\ttext_b\n"), Catch::StartsWith(":3: repeats the header"));
  CHECK_THAT(refused("text_a\n\"He said\nso.\"\n"),
             Catch::StartsWith(":2: begins with a \" that is not closed; does a text with a line break"));
  CHECK_THAT(refused("text_a,label\na,yes\n"), Catch::Contains("separated by something else than tabs?"));
  CHECK_THAT(refused("\xE2\x80\x8B"
                     "text_a\na\n"),
             Catch::EndsWith("it holds U+200B, which cannot be seen: take it out"));
  for (const char* fine :
       {"\ttext_a\n0\ta\n", "text_a\n\"a\" b\n", "text_a\t\na\t\n", "idx\ttext_a\n0\ta\n", "text_a\tlabel\na\twhatever\n"})
    CHECK(refused(fine) == "taken");
}

TEST_CASE("a pipe is read as it comes, and told by its first byte") {
  const temporary_folder folder;
  const std::string path = folder / "pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  for (const std::string text : {"{\"text_a\": \"a b\"}\n", "text_a\na b\n"}) {
    std::thread writer([&] {
      const int descriptor = ::open(path.c_str(), O_WRONLY);
      CHECK(::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
      ::close(descriptor);
    });
    const auto rows = graft::read_examples(graft::custom_task("t", graft::task_kind::classification, {}), "test", path);
    writer.join();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].text_a == "a b");
  }
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
  for (const auto& [task, paths] : graft::find_glue_tasks(root).tasks) {
    for (const auto& [split, path] : paths) {
      INFO(task.name << " " << split);
      std::vector<std::uint64_t> skipped;
      const auto rows = graft::read_examples(task, split, path, &skipped);
      CHECK(rows.size() == counts.at(task.name).at(split));
      CHECK(skipped.empty());
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
          const double target = graft::regression_target(task, *row.label, path, row.line);
          bad += target < 0 || target > 5;
        }
      }
      CHECK(bad == 0);
      ++seen;
    }
  }
  CHECK(seen == 20);
}
