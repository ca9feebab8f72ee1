#include "graft/data/data_set.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "graft/data/batch.hpp"
#include "graft/text/tokenizer.hpp"

namespace {

graft::example ids(std::vector<std::int32_t> input_ids) {
  graft::example row;
  row.input_ids = std::move(input_ids);
  return row;
}

graft::data_set make(const graft::task& task, std::vector<graft::example> rows, std::int32_t pad = -1) {
  return graft::make_data_set(task, rows, "f", graft::known_ids(9, pad), 4, 1);
}

std::vector<graft::example> numbered(std::size_t n) {
  std::vector<graft::example> rows(n);
  for (std::size_t i = 0; i < n; ++i) rows[i].line = i;
  return rows;
}

}  // namespace

TEST_CASE("examples get their ids and their labels as numbers") {
  graft::example first = ids({3}), second = ids({4, 5}), unlabeled = ids({6}), outside = ids({9});
  first.label = "2";
  second.label = "1.5";
  second.line = 8;
  const auto classes = graft::custom_task("c", graft::task_kind::classification, {"1", "2"});
  const auto score = graft::custom_task("r", graft::task_kind::regression, {});

  const auto classified = make(classes, {first, unlabeled});
  REQUIRE(classified.rows.size() == 2);
  CHECK(classified.rows[0].input_ids == std::vector<std::int32_t>{3});
  CHECK(classified.rows[0].label == 1);
  CHECK(classified.rows[1].label == -1);
  const auto scored = make(score, {first, second});
  CHECK(scored.rows[0].target == 2);
  CHECK(scored.rows[1].target == 1.5);
  CHECK_THROWS_WITH(make(classes, {second}), "f:8: label \"1.5\", expected one of \"1\", \"2\"");
  second.label = "good";
  CHECK_THROWS_WITH(make(score, {second}), "f:8: label \"good\", a number was expected");
  outside.line = 12;
  CHECK_THROWS_WITH(make(classes, {first, outside}), Catch::StartsWith("f:12: ") && Catch::Contains("9"));
}

TEST_CASE("padding that no attention_mask told is refused, not attended to") {
  const auto task = graft::custom_task("r", graft::task_kind::regression, {});
  CHECK_THROWS_WITH(make(task, {ids({5, 1, 1})}, 1), Catch::Contains("\"input_ids\" ends with 1, the id of padding"));
  CHECK_THROWS_WITH(make(task, {ids({1, 5})}, 1), Catch::Contains("\"input_ids\" begins with 1, the id of padding"));
  CHECK(make(task, {ids({5, 1, 5})}, 1).rows.size() == 1);
  graft::example told = ids({5, 1});
  told.masked = true;
  CHECK(make(task, {told}, 1).rows[0].input_ids.size() == 2);
}

TEST_CASE("a subset of the training examples is random, in file order, and decided by the seed") {
  const auto lines = [](const std::vector<graft::example>& rows) {
    std::vector<std::uint64_t> result;
    for (const auto& row : rows) result.push_back(row.line);
    return result;
  };
  const auto ten = lines(graft::training_subset(numbered(1000), 10, {}, 3));
  CHECK(std::set<std::uint64_t>(ten.begin(), ten.end()).size() == 10);
  CHECK(std::is_sorted(ten.begin(), ten.end()));
  CHECK(ten.back() > 10);
  CHECK(ten == lines(graft::training_subset(numbered(1000), {}, 0.01, 3)));
  CHECK(ten != lines(graft::training_subset(numbered(1000), 10, {}, 4)));
  const auto all = lines(numbered(5));
  CHECK(lines(graft::training_subset(numbered(5), {}, {}, 3)) == all);
  CHECK(lines(graft::training_subset(numbered(5), 99, {}, 3)) == all);
  CHECK(lines(graft::training_subset(numbered(5), {}, 1.0, 3)) == all);
  CHECK(graft::training_subset(numbered(5), {}, 0.5, 3).size() == 2);
}

TEST_CASE("a subset that cannot be is refused") {
  CHECK_THROWS_WITH(graft::training_subset(numbered(5), 2, 0.5, 0), Catch::Contains("exclude each other"));
  CHECK_THROWS_WITH(graft::training_subset(numbered(5), {}, 1.5, 0), Catch::Contains("a number above 0 and up to 1"));
  CHECK_THROWS_WITH(graft::training_subset(numbered(5), {}, 0.0, 0), Catch::Contains("a number above 0 and up to 1"));
  CHECK_THROWS_WITH(graft::training_subset(numbered(5), {}, 0.1, 0), Catch::Contains("no training example is left of 5"));
  CHECK_THROWS_WITH(graft::training_subset(numbered(5), 0, {}, 0), Catch::Contains("no training example is left of 5"));
}

TEST_CASE("a row with a label that names an adapter is refused") {
  graft::example row = ids({3});
  row.line = 4;
  row.adapter = "one";
  const auto task = graft::custom_task("c", graft::task_kind::classification, {"1", "2"});
  CHECK(make(task, {row}).rows.size() == 1);
  row.label = "1";
  CHECK_THROWS_WITH(make(task, {row}), "f:4: names an \"adapter\", which only a row to be answered does: take the column out");
}

TEST_CASE("several labels at once become ids, also in parts of a batch, a list is no label of another task") {
  const auto task = graft::custom_task("topics", graft::task_kind::multi_label, {"a", "b", "c"});
  std::vector<graft::example> examples(4);
  examples[0].label = "c,a";
  examples[1].label = "";
  examples[2].label = "b";
  const auto rows = graft::labeled(task, examples, std::vector<graft::features>(4, {{5}}), "t.tsv").rows;
  CHECK(rows[0].label_set == std::vector<std::int32_t>{0, 2});
  CHECK(rows[0].label == 2);
  CHECK(rows[1].label == 0);
  CHECK(rows[3].label == -1);
  graft::batch whole, part;
  whole.fill(rows, 0, 4, 0);
  CHECK(whole.label_sets == std::vector<std::int32_t>{0, 2, 1});
  CHECK(whole.set_offsets == std::vector<graft::index>{0, 2, 2, 3, 3});
  part.assign(whole, 1, 3);
  CHECK(part.label_sets == std::vector<std::int32_t>{1});
  CHECK(part.set_offsets == std::vector<graft::index>{0, 0, 1});
  examples[0].label_is_list = true;
  examples.resize(1);
  CHECK_THROWS_WITH(graft::labeled(graft::custom_task("x", graft::task_kind::classification, {"a", "c,a"}), examples, {{{5}}}, "t.tsv"),
                    Catch::Contains("\"label\" is a list, one label was expected"));
}
