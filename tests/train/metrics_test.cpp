#include "graft/train/metrics.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "graft/core/json.hpp"

namespace {

using ids = std::vector<std::int32_t>;
using values = std::vector<double>;
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

const graft::task& glue(const std::string& name) {
  for (const graft::task& task : graft::glue_tasks()) {
    if (task.name == name) return task;
  }
  throw graft::config_error(name);
}

std::vector<graft::features> labeled(const ids& labels) {
  std::vector<graft::features> rows(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) rows[i].label = labels[i];
  return rows;
}

std::vector<graft::features> scored(const values& targets) {
  std::vector<graft::features> rows(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) rows[i].target = targets[i];
  return rows;
}

}  // namespace

TEST_CASE("accuracy, F1 and Matthews by hand") {
  const ids predicted{1, 1, 1, 0, 0, 0, 0, 1}, wanted{1, 1, 0, 0, 0, 1, 0, 0};  // tp 2, fp 2, fn 1, tn 3
  CHECK(graft::accuracy(predicted, wanted) == 5.0 / 8);
  CHECK(graft::f1_score(predicted, wanted) == 4.0 / 7);
  CHECK(graft::matthews(predicted, wanted) == Approx((2 * 3 - 2 * 1) / std::sqrt(4.0 * 3 * 5 * 4)).epsilon(1e-15));
  CHECK(graft::matthews(wanted, wanted) == 1);
  CHECK(graft::matthews({{1, 0, 1}}, {{0, 1, 0}}) == -1);
}

TEST_CASE("F1 without positives and Matthews with an empty row or column are 0") {
  const ids zeros{0, 0, 0}, ones{1, 1, 1}, mixed{0, 1, 0};
  CHECK(graft::f1_score(zeros, zeros) == 0);
  CHECK(graft::f1_score(zeros, mixed) == 0);
  CHECK(graft::f1_score(mixed, zeros) == 0);
  CHECK(graft::f1_score(ones, mixed) == 0.5);
  CHECK(graft::matthews(zeros, mixed) == 0);
  CHECK(graft::matthews(mixed, ones) == 0);
  CHECK(graft::matthews(zeros, zeros) == 0);
  CHECK(graft::accuracy(zeros, zeros) == 1);
}

TEST_CASE("Matthews of three classes") {
  // 2 of 5 right; predicted 2, 2, 1 and wanted 1, 3, 1 times
  CHECK(graft::matthews({{0, 0, 1, 1, 2}}, {{0, 1, 1, 2, 1}}) == Approx((2 * 5 - 9) / std::sqrt(16.0 * 14)).epsilon(1e-15));
}

TEST_CASE("Pearson by hand, within its bounds") {
  CHECK(graft::pearson({{1, 2, 3, 4}}, {{1, 3, 2, 4}}) == Approx(0.8).epsilon(1e-15));
  CHECK(graft::pearson({{1, 2, 3}}, {{-2, -4, -6}}) == Approx(-1).epsilon(1e-15));
  const values x{0.1, 0.2, 0.7}, y{1e9 + 0.1, 1e9 + 0.2, 1e9 + 0.7};
  CHECK(graft::pearson(x, y) <= 1);
  CHECK(graft::pearson(x, y) == Approx(1).epsilon(1e-7));
}

TEST_CASE("ties in Spearman share the mean of their ranks") {
  CHECK(graft::average_ranks({{10, 30, 20, 20}}) == values{1, 4, 2.5, 2.5});
  CHECK(graft::average_ranks({{5, 5, 5}}) == values{2, 2, 2});
  CHECK(graft::spearman({{1, 10, 100, 1000}}, {{0, 1, 2, 9}}) == Approx(1).epsilon(1e-15));
  // ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5, squares 4.5 and 5
  CHECK(graft::spearman({{1, 2, 2, 3}}, {{1, 2, 3, 4}}) == Approx(4.5 / std::sqrt(4.5 * 5)).epsilon(1e-15));
  // ranks 2, 2, 2, 4.5, 4.5 and 4, 1.5, 5, 1.5, 3
  CHECK(graft::spearman({{0, 0, 0, 7, 7}}, {{2, 1, 9, 1, 1.5}}) == Approx(-3.75 / std::sqrt(7.5 * 9.5)).epsilon(1e-14));
}

TEST_CASE("correlations of constants, single rows and NaN are NaN") {
  const values constant{0.1, 0.1, 0.1}, rising{1, 2, 3}, broken{1, nan_value, 3};
  for (const auto correlation : {graft::pearson, graft::spearman}) {
    CHECK(std::isnan(correlation(constant, rising)));
    CHECK(std::isnan(correlation(rising, constant)));
    CHECK(std::isnan(correlation(broken, rising)));
    CHECK(std::isnan(correlation(rising, broken)));
    CHECK(std::isnan(correlation({{1}}, {{2}})));
  }
}

TEST_CASE("the metrics of each kind of task, from logits") {
  graft::matrix<double> logits(4, 2);
  logits << 2, 1,  //
      0, 3,        //
      1, 1,        // a tie: class 0
      -1, 0;
  const auto rows = labeled({0, 1, 1, 0});  // predicted 0 1 0 1: tp 1, fp 1, fn 1, tn 1
  CHECK(graft::metrics_json(graft::evaluate(glue("rte"), logits, rows)).dump() == R"({"major":0.5,"minor":{"acc":0.5}})");
  CHECK(graft::metrics_json(graft::evaluate(glue("mrpc"), logits, rows)).dump() ==
        R"({"major":0.5,"minor":{"acc":0.5,"f1":0.5,"acc_and_f1":0.5}})");
  CHECK(graft::metrics_json(graft::evaluate(glue("cola"), logits, rows)).dump() == R"({"major":0.0,"minor":{"mcc":0.0}})");
  const auto own = graft::custom_task("own", graft::task_kind::classification, {"no", "yes"});
  const auto metrics = graft::evaluate(own, logits, labeled({0, 1, 0, 0}));  // tp 1, fp 1, fn 0, tn 2
  CHECK(metrics.major == 0.75);
  REQUIRE(metrics.minor.size() == 3);
  CHECK(metrics.minor[0] == std::pair<std::string, double>{"acc", 0.75});
  CHECK(metrics.minor[1].first == "f1");
  CHECK(metrics.minor[1].second == Approx(2.0 / 3));
  CHECK(metrics.minor[2].first == "mcc");
  CHECK(metrics.minor[2].second == Approx(2 / std::sqrt(2.0 * 1 * 3 * 2)));
  CHECK(graft::evaluate(glue("mrpc"), logits, labeled({0, 1, 0, 0})).major == Approx((0.75 + 2.0 / 3) / 2));

  graft::matrix<double> wide(2, 6);  // a window of a wider matrix: three classes
  wide << 9, 0, 1, 2, 9, 9, 9, 5, 1, 2, 9, 9;
  const graft::const_view<double> window = graft::view<double>(wide).window(0, 1, 2, 3);
  CHECK(graft::predicted_classes(window) == ids{2, 0});
  CHECK(graft::evaluate(glue("mnli"), window, labeled({2, 1})).major == 0.5);
}

TEST_CASE("the metrics of regression, and null where there is no number") {
  graft::matrix<double> logits(4, 1);
  logits << 1, 2, 3, 4;
  const auto metrics = graft::evaluate(glue("stsb"), logits, scored({1, 3, 2, 10}));
  // deviations -1.5 -.5 .5 1.5 and -3 -1 -2 6: covariance 13, squares 5 and 50; ranks as in 1 3 2 4
  CHECK(metrics.minor[0].first == "pearson");
  CHECK(metrics.minor[0].second == Approx(13 / std::sqrt(250.0)).epsilon(1e-14));
  CHECK(metrics.minor[1].first == "spearmanr");
  CHECK(metrics.minor[1].second == Approx(0.8).epsilon(1e-14));
  CHECK(metrics.major == Approx((13 / std::sqrt(250.0) + 0.8) / 2).epsilon(1e-14));
  const auto own = graft::custom_task("own", graft::task_kind::regression, {});
  CHECK(graft::evaluate(own, logits, scored({1, 3, 2, 10})).major == metrics.major);
  CHECK(graft::metrics_json(graft::evaluate(glue("stsb"), logits, scored({2, 2, 2, 2}))).dump() ==
        R"({"major":null,"minor":{"pearson":null,"spearmanr":null,"pearson_and_spearman":null}})");
}

TEST_CASE("a single row is scored") {
  graft::matrix<double> logits(1, 2);
  logits << 0, 1;
  CHECK(graft::evaluate(glue("mrpc"), logits, labeled({1})).major == 1);
  CHECK(graft::evaluate(glue("cola"), logits, labeled({1})).major == 0);
}

TEST_CASE("rows that cannot be scored are refused") {
  const graft::matrix<double> logits = graft::matrix<double>::Zero(2, 2);
  CHECK_THROWS_AS(graft::evaluate(glue("rte"), logits, labeled({0})), graft::shape_error);
  CHECK_THROWS_AS(graft::evaluate(glue("rte"), graft::matrix<double>(0, 2), labeled({})), graft::shape_error);
  CHECK_THROWS_WITH(graft::evaluate(glue("mnli"), logits, labeled({0, 0})), Catch::Contains("logits have 2 columns, task mnli needs 3"));
  CHECK_THROWS_WITH(graft::evaluate(glue("rte"), logits, labeled({0, -1})), Catch::Contains("row 1 has the label id -1"));
  CHECK_THROWS_AS(graft::evaluate(glue("rte"), logits, labeled({0, 2})), graft::config_error);
  CHECK_THROWS_AS(graft::accuracy(ids{1}, ids{}), graft::shape_error);
}

TEST_CASE("scores of several labels at once are scikit-learn's") {
  using sets = std::vector<ids>;
  const sets wanted{{0, 1}, {0}, {1, 2}, {}, {0}, {0, 2}, {}}, predicted{{0, 1}, {2}, {0}, {}, {0}, {1}, {1}};
  const auto scores = graft::score_labels(predicted, wanted, 4);  // label 3 is nowhere
  CHECK(scores.f1_micro == Approx(0.4).epsilon(1e-15));
  CHECK(scores.f1_macro == Approx(0.24285714285714285).epsilon(1e-15));
  CHECK(scores.subset_acc == Approx(0.42857142857142855).epsilon(1e-15));
  graft::matrix<double> z(2, 2);
  z << 0, -0.1, 3, 0.1;
  CHECK(graft::predicted_label_sets(z) == sets{{0}, {0, 1}});
  std::vector<graft::features> rows(2);
  rows[0].label_set = {0};
  rows[0].label = 1;
  rows[1].label_set = {0};
  rows[1].label = 1;
  const auto metrics = graft::evaluate(graft::custom_task("t", graft::task_kind::multi_label, {"a", "b"}), z, rows);
  CHECK(metrics.major == Approx(0.8));
  CHECK(metrics.minor[2] == std::pair<std::string, double>{"subset_acc", 0.5});
}
