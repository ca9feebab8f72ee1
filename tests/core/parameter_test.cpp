#include "graft/core/parameter.hpp"

#include <catch2/catch.hpp>

using graft::parameter_role;

TEST_CASE("a parameter knows its shape and gets its gradient when it is asked for") {
  auto table = graft::parameter<float>::table("a.weight", parameter_role::weight, 2, 3);
  CHECK(table.shape() == std::vector<graft::index>{2, 3});
  CHECK(table.value.isZero(0));
  CHECK_FALSE(table.trainable);
  CHECK(table.grad.size() == 0);
  table.gradient()(1, 2) += 4;
  table.gradient()(1, 2) += 1;
  CHECK(table.grad.rows() == 2);
  CHECK(table.grad.sum() == 5);

  const auto vector = graft::parameter<float>::vector("a.bias", parameter_role::layer_norm, 3, 1.0F);
  CHECK(vector.shape() == std::vector<graft::index>{3});
  CHECK(vector.value.rows() == 1);
  CHECK(vector.value.sum() == 3);
}

TEST_CASE("a wrong shape is refused in one line") {
  const graft::matrix<float> m(2, 3);
  bool asked = false;
  const auto needed = [&] {
    asked = true;
    return std::string("needs 4 columns");
  };
  graft::check_shape(true, "l", "x", m, needed);
  CHECK_FALSE(asked);
  CHECK_THROWS_AS(graft::check_shape(false, "l", "x", m, needed), graft::shape_error);
  CHECK_THROWS_WITH(graft::check_shape(false, "l", "x", m, needed), "layer 'l': x is (2, 3), needs 4 columns");
}
