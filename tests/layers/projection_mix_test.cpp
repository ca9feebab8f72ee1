#include "graft/layers/projection_mix.hpp"

#include <catch2/catch.hpp>
#include <memory>

#include "support/random_values.hpp"
#include "support/training_context.hpp"

using graft::f64;

TEST_CASE("an update whose scale is 0 says nothing of its weight") {
  const graft::index offsets[] = {0, 5};
  graft_test::training_context ctx(offsets);
  const auto weights = std::make_shared<graft::mixing_weights<f64>>("mix", 2, graft::mixing_mode::softmax);
  graft::projection_mix<f64> mix(weights);
  graft::low_rank<f64> none("u", 8, 8, 2, 0.0);
  none.a.edit() = graft_test::random_matrix(2, 8, 1);
  none.b.edit() = graft_test::random_matrix(8, 2, 2);
  mix.updates.push_back({1, std::move(none)});
  auto w = graft::parameter<double>::factor("w", graft::parameter_role::weight, 8, 8);
  auto b = graft::parameter<double>::vector("b", graft::parameter_role::bias, 8);
  weights->v.train();
  const auto x = graft_test::random_matrix(5, 8, 3), dy = graft_test::random_matrix(5, 8, 4);
  mix.accumulate_gradients(w, b, graft::const_view<double>(dy), graft::const_view<double>(x), ctx);
  CHECK(weights->v.gradient().isZero());
}
