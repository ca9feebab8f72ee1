// Numbers of scikit-learn's confusion_matrix and precision_recall_fscore_support(zero_division=0).

#include "graft/train/class_report.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"

namespace {

const graft::task four = graft::custom_task("four", graft::task_kind::classification, {"a", "b", "c", "d"});
const graft::task several = graft::custom_task("several", graft::task_kind::multi_label, {"x", "y", "z"});

graft::matrix<double> report_logits() {
  graft::matrix<double> z(12, 4);
  z << 3.58, 0.87, 0.19, -9, -0.55, -0.71, -0.17, -9, -0.09, -0.95, -2.63, -9, 1.76, 3.42, 0.1, -9, -1.09, -3.09, 1.96, -9, -2.37, -0.41,
      2.97, -9, -2.05, -1.43, 1.25, -9, -1.54, -0.46, 1.49, -9, -2.49, -1.25, -1.61, -9, -1.85, -2.05, 2.25, -9, -3.25, 1.29, -0.71, -9,
      -1.19, -1.18, -1.75, -9;
  return z;
}

std::vector<graft::features> report_rows() {
  std::vector<graft::features> rows(12);
  const int labels[] = {0, 1, 2, 2, 1, 0, 0, 1, 2, 3, 1, 0};
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].label = labels[i];
  return rows;
}

graft::matrix<double> set_logits() {
  graft::matrix<double> z(6, 3);
  z << -3.37, -0.4, 1.52, 1.28, 1.66, 1.68, 2.23, -1.68, 1.27, -2.79, -0.9, -2.87, 1.57, 2.0, -0.3, 2.66, -1.01, 0.23;
  return z;
}

std::vector<graft::features> set_rows() {
  std::vector<graft::features> rows(6);
  const std::vector<std::vector<std::int32_t>> sets{{0}, {}, {0, 1}, {1}, {0, 1}, {1}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].label_set = sets[i];
    rows[i].label = static_cast<std::int32_t>(sets[i].size());
  }
  return rows;
}

void check_scores(const graft::class_scores& s, double precision, double recall, double f1, std::uint64_t support) {
  CHECK(s.precision == Approx(precision).margin(1e-12));
  CHECK(s.recall == Approx(recall).margin(1e-12));
  CHECK(s.f1 == Approx(f1).margin(1e-12));
  CHECK(s.support == support);
}

}  // namespace

TEST_CASE("the confusion matrix and the scores of each class are scikit-learn's, with a class that is never answered") {
  const auto report = graft::report_classes(four, report_logits(), report_rows());
  const std::vector<std::vector<std::uint64_t>> expected{{1, 1, 2, 0}, {0, 1, 3, 0}, {1, 2, 0, 0}, {0, 0, 1, 0}};
  CHECK(report.confusion == expected);
  REQUIRE(report.classes.size() == 4);
  check_scores(report.classes[0], 0.5, 0.25, 1.0 / 3, 4);
  check_scores(report.classes[1], 0.25, 0.25, 0.25, 4);
  check_scores(report.classes[2], 0, 0, 0, 3);
  check_scores(report.classes[3], 0, 0, 0, 1);
  check_scores(report.micro, 1.0 / 6, 1.0 / 6, 1.0 / 6, 12);
  check_scores(report.macro, 0.1875, 0.125, 0.14583333333333331, 12);
  check_scores(report.weighted, 0.25, 0.16666666666666666, 0.19444444444444442, 12);
  const auto json = graft::report_json(report);
  CHECK(json["confusion"][1][2] == 3);
  CHECK(json["classes"][0]["label"] == "a");
  CHECK(json["classes"][0]["recall"] == 0.25);
  CHECK(json["macro"]["support"] == 12);
}

TEST_CASE("of several labels at once each class is scored by itself") {
  const auto report = graft::report_classes(several, set_logits(), set_rows());
  CHECK(report.confusion.empty());
  REQUIRE(report.classes.size() == 3);
  check_scores(report.classes[0], 0.5, 2.0 / 3, 0.5714285714285714, 3);
  check_scores(report.classes[1], 0.5, 0.25, 1.0 / 3, 4);
  check_scores(report.classes[2], 0, 0, 0, 0);
  check_scores(report.micro, 0.3, 0.42857142857142855, 0.35294117647058826, 7);
  check_scores(report.macro, 1.0 / 3, 0.3055555555555555, 0.30158730158730157, 7);
  check_scores(report.weighted, 0.5, 0.42857142857142855, 0.43537414965986393, 7);
  CHECK_FALSE(graft::report_json(report).contains("confusion"));
}

TEST_CASE("the worst rows are those with the highest loss") {
  const auto worst = graft::worst_rows(four, report_logits(), report_rows(), 3);
  REQUIRE(worst.size() == 3);
  CHECK(worst[0].row == 9);
  CHECK(worst[0].loss == Approx(11.2797085403).epsilon(1e-10));
  CHECK((worst[0].wanted == "d" && worst[0].predicted == "c"));
  CHECK(worst[1].row == 5);
  CHECK(worst[2].row == 4);
  CHECK(graft::worst_rows_json(worst)[0]["row"] == 9);

  const auto sets = graft::worst_rows(several, set_logits(), set_rows(), 99);
  REQUIRE(sets.size() == 6);
  CHECK(sets[0].row == 0);
  CHECK(sets[0].loss == Approx(1.8782070844619312).epsilon(1e-12));
  CHECK((sets[0].wanted == "x" && sets[0].predicted == "z"));
  CHECK((sets[1].wanted.empty() && sets[1].predicted == "x,y,z"));
}

TEST_CASE("a number is as bad as it is far away, equal rows stand in order, and what is no number is worst") {
  const graft::task number = graft::custom_task("number", graft::task_kind::regression, {});
  graft::matrix<double> z(4, 1);
  z << 1, 2, std::numeric_limits<double>::quiet_NaN(), 0;
  std::vector<graft::features> rows(4);
  for (auto& row : rows) row.target = 1;
  const auto worst = graft::worst_rows(number, z, rows, 4);
  CHECK((worst[0].row == 2 && std::isnan(worst[0].loss)));
  CHECK((worst[1].row == 1 && worst[1].loss == 1 && worst[1].wanted == "1" && worst[1].predicted == "2"));
  CHECK((worst[2].row == 3 && worst[3].row == 0));
  CHECK_THROWS_AS(graft::report_classes(number, z, rows), graft::config_error);
  CHECK_THROWS_AS(graft::report_classes(four, z, rows), graft::shape_error);
  auto unlabeled = report_rows();
  unlabeled[3].label = -1;
  CHECK_THROWS_WITH(graft::report_classes(four, report_logits(), unlabeled), Catch::Contains("row 3 has the label id -1"));
}
