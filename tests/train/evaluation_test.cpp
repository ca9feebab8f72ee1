// What a data set is answered with, and that numbers that are none score nothing.

#include "graft/train/evaluation.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "graft/model/model.hpp"
#include "training/tiny_task.hpp"

TEST_CASE("a logit that is no number makes every score none") {
  auto model = graft::make_plain_classifier<graft::f32>(graft_test::tiny_config(), 2);
  graft_test::draw_weights(model);
  const auto set = graft_test::rows(6, 1);
  graft::context ctx;
  const auto sound = *graft::evaluate(model, graft_test::two_classes(), set.rows, 4, ctx);
  CHECK(std::isfinite(sound.loss));
  CHECK(sound.metrics.major >= 0);
  CHECK_NOTHROW(graft::require_finite(sound.logits));
  for (const float none : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    model.head.out_proj.bias.edit()(0, 1) = none;
    const auto broken = *graft::evaluate(model, graft_test::two_classes(), set.rows, 4, ctx);
    CHECK(std::isnan(broken.loss));
    CHECK(std::isnan(broken.metrics.major));
    for (const auto& [name, value] : broken.metrics.minor) CHECK(std::isnan(value));
    CHECK_THROWS_WITH(graft::require_finite(broken.logits), Catch::StartsWith("row 0: the model's answer is no finite number"));
  }
  graft::matrix<double> late = graft::matrix<double>::Zero(3, 2);
  late(2, 0) = -std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(graft::require_finite(late), Catch::StartsWith("row 2: "));
}

TEST_CASE("rows are answered with the same bits, however many tokens go through at once") {
  auto model = graft::make_adapter_classifier<graft::f32>(graft_test::tiny_config(), 2, {4});
  graft_test::draw_weights(model);
  const auto set = graft_test::rows(9, 3);
  graft::context ctx;
  const auto logits = [&](graft::index rows, graft::index tokens) {
    return *graft::predict_logits(model, std::span<const graft::features>(set.rows), rows, ctx, nullptr, tokens);
  };
  const graft::matrix<double> whole = logits(9, 0);
  for (const graft::index tokens : {1, 13, 30, 1000}) CHECK(logits(9, tokens) == whole);
  CHECK(logits(2, 1000) == whole);
}

TEST_CASE("a batch is filled with whole rows up to a number of rows and of tokens") {
  std::vector<graft::features> rows(5);
  for (auto& row : rows) row.input_ids = {0, 7, 2};
  graft::batch b;
  CHECK(b.fill(rows, 0, 9, 0) == 5);
  CHECK(b.rows() == 15);
  CHECK(b.fill(rows, 1, 2, 0) == 3);
  CHECK(b.size() == 2);
  CHECK(b.fill(rows, 0, 9, 8) == 2);
  CHECK(b.rows() == 6);
  CHECK(b.fill(rows, 4, 9, 2) == 5);  // a row that is longer goes alone
  CHECK(b.size() == 1);
}
