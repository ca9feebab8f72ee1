// Entities found and missed, as seqeval counts them; reports of tags for words.

#include <catch2/catch.hpp>

#include "graft/core/json.hpp"
#include "graft/train/class_report.hpp"
#include "graft/train/class_weights.hpp"
#include "graft/train/metrics.hpp"
#include "support/shared.hpp"

using graft::task_kind;

namespace {

/// Rows whose words have the tags WANTED, and logits that are highest for PREDICTED.
struct tagged_rows {
  graft::task of;
  std::vector<graft::features> rows;
  graft::matrix<double> logits;

  tagged_rows(const std::vector<std::string>& labels, const std::vector<std::vector<std::string>>& wanted,
              const std::vector<std::vector<std::string>>& predicted)
      : of(graft::custom_task("names", task_kind::token_classification, labels)) {
    const auto id = [&](const std::string& tag) { return graft::label_id(of, tag, "rows", 1); };
    std::vector<std::int32_t> answers;
    for (std::size_t r = 0; r < wanted.size(); ++r) {
      auto& row = rows.emplace_back();
      row.words = true;
      for (std::size_t w = 0; w < wanted[r].size(); ++w) {
        row.answering.push_back(static_cast<std::int32_t>(w));
        row.tags.push_back(id(wanted[r][w]));
        answers.push_back(id(predicted[r][w]));
      }
    }
    logits.resize(std::ssize(answers), of.num_labels());
    logits.setZero();
    for (graft::index i = 0; i < logits.rows(); ++i) logits(i, answers[static_cast<std::size_t>(i)]) = 2;
  }
};

}  // namespace

TEST_CASE("entities are counted as seqeval does, also those of tags that no scheme allows") {
  const auto cases = graft::read_json(GRAFT_TEST_DIR "/golden/tokens/entities.json");
  CHECK(cases.size() >= 50);
  for (const auto& one : cases) {
    using rows = std::vector<std::vector<std::string>>;
    const tagged_rows t(one["labels"].get<std::vector<std::string>>(), one["wanted"].get<rows>(), one["predicted"].get<rows>());
    const auto& report = one["report"];
    const auto metrics = graft::evaluate(t.of, t.logits, t.rows);
    const std::map<std::string, double> minor(metrics.minor.begin(), metrics.minor.end());
    const auto near = [](const graft::json& number) { return Approx(number.get<double>()).epsilon(1e-12); };
    CHECK(metrics.major == near(report["micro avg"]["f1-score"]));
    CHECK(minor.at("entity_precision") == near(report["micro avg"]["precision"]));
    CHECK(minor.at("entity_recall") == near(report["micro avg"]["recall"]));
    CHECK(minor.at("acc") == near(one["acc"]));
    const auto own = graft::report_classes(t.of, t.logits, t.rows);
    CHECK(own.names.size() + 3 == report.size());
    const auto check = [&](const graft::class_scores& s, const std::string& name) {
      INFO(name);
      CHECK(s.precision == near(report[name]["precision"]));
      CHECK(s.recall == near(report[name]["recall"]));
      CHECK(s.f1 == near(report[name]["f1-score"]));
      CHECK(s.support == report[name]["support"].get<std::uint64_t>());
    };
    for (std::size_t c = 0; c < own.names.size(); ++c) check(own.classes[c], own.names[c]);
    check(own.micro, "micro avg");
    check(own.macro, "macro avg");
    check(own.weighted, "weighted avg");
  }
}

TEST_CASE("tags that mark no entities are classes of words") {
  const tagged_rows t({"N", "V"}, {{"N", "V", "N"}, {"V"}}, {{"N", "N", "N"}, {"V"}});
  CHECK(graft::evaluate(t.of, t.logits, t.rows).major == 0.75);
  const auto report = graft::report_classes(t.of, t.logits, t.rows);
  CHECK(report.confusion == std::vector<std::vector<std::uint64_t>>{{2, 0}, {1, 1}});
  CHECK(report.names == t.of.labels);
}

TEST_CASE("the worst rows of tags, their losses, and weights of tags") {
  tagged_rows t({"B-X", "O"}, {{"O", "O"}, {"B-X"}, {}}, {{"O", "O"}, {"O"}, {}});
  const double right = std::log(1 + std::exp(-2)), wrong = right + 2;
  const auto losses = graft::row_losses(t.of, t.logits, t.rows);
  CHECK(losses[0] == Approx(right));
  CHECK(losses[1] == Approx(wrong));
  CHECK(losses[2] == 0);
  const auto worst = graft::worst_rows(t.of, t.logits, t.rows, 2);
  REQUIRE(worst.size() == 2);
  CHECK(worst[0].row == 1);
  CHECK(worst[1].wanted == "O O");
  CHECK(worst[1].predicted == "O O");
  CHECK(graft::balanced_class_weights(t.of, t.rows) == std::vector<double>{1.5, 0.75});
  t.rows[0].tags[1] = -1;
  CHECK_THROWS_WITH(graft::evaluate(t.of, t.logits, t.rows), Catch::Contains("row 0 has a word without a tag"));
  CHECK_THROWS_WITH(graft::report_classes(t.of, t.logits, t.rows), Catch::Contains("row 0 has a word without a tag"));
}
