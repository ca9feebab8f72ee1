// Pooling and what stands behind it, by hand.

#include "graft/heads/sentence_embedding.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "graft/core/error.hpp"

TEST_CASE("each way of pooling, of all tokens and of those behind a prompt") {
  graft::matrix<float> h(3, 2);
  h << 1, -6, 5, 2, 3, 4;
  const auto pooled = [&](graft::pooling how, graft::index skip) {
    std::vector<double> y(2);
    graft::pool_tokens<float>(how, h, skip, y.data());
    return y;
  };
  using graft::pooling;
  CHECK(pooled(pooling::cls, 0) == std::vector<double>{1, -6});
  CHECK(pooled(pooling::max, 0) == std::vector<double>{5, 4});
  CHECK(pooled(pooling::mean, 0) == std::vector<double>{3, 0});
  CHECK(pooled(pooling::mean_sqrt_len_tokens, 0)[0] == Approx(9 / std::sqrt(3.0)));
  CHECK(pooled(pooling::weightedmean, 0) == std::vector<double>{(1 + 10 + 9) / 6.0, (-6 + 4 + 12) / 6.0});
  CHECK(pooled(pooling::lasttoken, 0) == std::vector<double>{3, 4});
  CHECK(pooled(pooling::cls, 1) == std::vector<double>{5, 2});
  CHECK(pooled(pooling::mean, 1) == std::vector<double>{4, 3});
  CHECK(pooled(pooling::weightedmean, 1) == std::vector<double>{19 / 5.0, 16 / 5.0});  // positions count from the text's first token
  CHECK(graft::parse_poolings("cls,lasttoken") == std::vector{pooling::cls, pooling::lasttoken});
  for (const auto p : {pooling::cls, pooling::max, pooling::mean, pooling::mean_sqrt_len_tokens, pooling::weightedmean, pooling::lasttoken})
    CHECK(graft::parse_pooling(graft::pooling_name(p)) == p);
  CHECK_THROWS_AS(graft::parse_poolings("cls,"), graft::config_error);
  h(1, 0) = h(2, 1) = std::nanf("");  // no way of pooling hides it
  CHECK(std::isnan(pooled(pooling::max, 0)[0]));
  CHECK(std::isnan(pooled(pooling::max, 0)[1]));
}

TEST_CASE("dense layers, norms and lengths behind pooling") {
  graft::sentence_step dense, norm, unit;
  dense.what = graft::sentence_step::kind::dense;
  dense.act = graft::activation::relu;
  dense.weight = graft::matrix<double>(2, 2);
  dense.weight << 1, 2, 0, -1;
  dense.bias = Eigen::Vector2d(1, 1);
  Eigen::VectorXd x = Eigen::Vector2d(3, 4);
  graft::apply_steps(std::vector{dense}, x);
  CHECK((x[0] == 12 && x[1] == 0));
  dense.adds_input = true;
  x = Eigen::Vector2d(3, 4);
  graft::apply_steps(std::vector{dense, unit}, x);
  CHECK(x[0] == Approx(15 / std::hypot(15.0, 4.0)));
  dense.adds_input = false;
  dense.residual = graft::matrix<double>::Identity(2, 2);
  x = Eigen::Vector2d(3, 4);
  graft::apply_steps(std::vector{dense}, x);
  CHECK((x[0] == 15 && x[1] == 4));
  norm.what = graft::sentence_step::kind::layer_norm;
  norm.weight = graft::matrix<double>::Constant(1, 2, 2);
  norm.bias = Eigen::Vector2d(0, 1);
  graft::apply_steps(std::vector{norm}, x);
  CHECK(x[0] == Approx(2 * 5.5 / std::sqrt(5.5 * 5.5 + 1e-5)));
  CHECK(x[1] == Approx(1 - 2 * 5.5 / std::sqrt(5.5 * 5.5 + 1e-5)));
  x = Eigen::Vector2d(0, 0);
  graft::apply_steps(std::vector{unit}, x);
  CHECK(x[0] == 0);
}
