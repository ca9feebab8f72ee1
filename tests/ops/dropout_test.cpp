#include "graft/ops/dropout.hpp"

#include <catch2/catch.hpp>

#include "support/random_values.hpp"

using graft::matrix;
using graft::view;

namespace {

matrix<double> mask(double p, graft::context& ctx, std::uint64_t place = 5, graft::index rows = 200, graft::index cols = 100) {
  matrix<double> m = matrix<double>::Ones(rows, cols);
  graft::ops::dropout<double>(m, p, place, graft::rows_of::tokens, ctx);
  return m;
}

}  // namespace

TEST_CASE("dropout keeps about 1 - p, scales it by 1 / (1 - p), and so keeps the mean") {
  graft::context ctx;
  const graft::training_step training(ctx, 0);
  for (const double p : {0.1, 0.5, 0.9}) {
    const auto m = mask(p, ctx);
    const double n = static_cast<double>(m.size());
    const double kept = static_cast<double>((m.array() != 0).count()) / n;
    CHECK(((m.array() == 0) || (m.array() == 1 / (1 - p))).all());
    CHECK(kept == Approx(1 - p).margin(5 * std::sqrt(p * (1 - p) / n)));
    CHECK(m.mean() == Approx(kept / (1 - p)).epsilon(1e-12));
    // no row and no column is favored
    CHECK((m.rowwise().mean().array() - 1).abs().maxCoeff() <= 6 * std::sqrt(p / (1 - p) / 100));
    CHECK((m.colwise().mean().array() - 1).abs().maxCoeff() <= 6 * std::sqrt(p / (1 - p) / 200));
  }
}

TEST_CASE("dropout is the identity outside training and with p = 0") {
  graft::context ctx;
  CHECK((mask(0.5, ctx).array() == 1).all());
  const graft::training_step training(ctx, 0);
  CHECK((mask(0, ctx).array() == 1).all());
}

TEST_CASE("the mask is that of (seed, step, place), whatever the threads and the memory") {
  graft::context ctx;
  const graft::training_step training(ctx, 0);
  ctx.threads = 1;
  const auto first = mask(0.3, ctx);
  ctx.threads = 3;
  CHECK((mask(0.3, ctx).array() == first.array()).all());
  matrix<double> wide = matrix<double>::Constant(200, 103, 7);
  auto window = view<double>(wide).window(0, 2, 200, 100);
  window.setOnes();
  graft::ops::dropout<double>(window, 0.3, 5, graft::rows_of::tokens, ctx);
  CHECK((window.array() == first.array()).all());
  CHECK((wide.col(1).array() == 7).all());
  CHECK((wide.col(102).array() == 7).all());

  const auto share_equal = [&](const matrix<double>& m) { return static_cast<double>((m.array() == first.array()).count()) / 20000; };
  const double chance = 0.7 * 0.7 + 0.3 * 0.3;
  CHECK(share_equal(mask(0.3, ctx, 6)) == Approx(chance).margin(0.02));
  {
    const graft::training_step step(ctx, 1);
    CHECK(share_equal(mask(0.3, ctx)) == Approx(chance).margin(0.02));
  }
  CHECK(share_equal(mask(0.3, ctx)) == 1);
  ctx.seed = 1;
  CHECK(share_equal(mask(0.3, ctx)) == Approx(chance).margin(0.02));
}

TEST_CASE("a mask goes on across the end of the lower half of the counter") {
  const graft::random_stream stream(3, 1, 4);
  const graft::ops::dropout_mask<float> mask(0.4, stream);
  const std::uint64_t first = (std::uint64_t{1} << 32) - 5;
  std::vector<float> ones(12, 1.0F), kept(12);
  mask.apply(ones.data(), kept.data(), 12, first);
  for (std::uint64_t i = 0; i < 12; ++i) CHECK((kept[i] != 0) == (stream.bits(first + i) >= mask.threshold));
}
