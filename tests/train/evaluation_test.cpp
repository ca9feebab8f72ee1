// What a data set is answered with, and that numbers that are none score nothing.

#include "graft/train/evaluation.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

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
