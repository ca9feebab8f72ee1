#include "graft/gemm/int8_product.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/random_values.hpp"

namespace {

using graft::const_view;
using graft::matrix;
using graft::transpose;
using graft::view;

graft::parameter<float> weight_for_int8(graft::index out, graft::index in) {
  auto w = graft::parameter<float>::factor("w", graft::parameter_role::weight, out, in);
  w.edit() = graft_test::random_matrix<float>(out, in, 1);
  return w;
}

template <class P>
matrix<float> int8_answer(const matrix<float>& x, const graft::parameter<float>& w, int threads) {
  matrix<float> y(x.rows(), w.rows());
  graft::context ctx;
  ctx.threads = threads;
  const auto left = graft::packed_a<P>::pack(transpose::no, const_view<float>(x), ctx);
  const graft::int8_weight right = *graft::int8_form(w);
  graft::int8_products<P>(left, std::span(&right, 1), ctx, [&](graft::index which, graft::index row, graft::index col, view<float> block) {
    CHECK(which == 0);
    y.block(row, col, block.rows(), block.cols()) = block;
  });
  return y;
}

/// The same by the formula, in f64.
matrix<double> int8_by_formula(const matrix<float>& x, const matrix<float>& w) {
  matrix<double> y = matrix<double>::Zero(x.rows(), w.rows());
  for (graft::index k = 0; k < x.cols(); k += 64) {
    const graft::index n = std::min<graft::index>(64, x.cols() - k);
    for (graft::index r = 0; r < x.rows(); ++r) {
      const auto own = x.row(r).segment(k, n);
      const float low = std::min(0.0F, own.minCoeff()), high = std::max(0.0F, own.maxCoeff());
      const float scale = high > low ? (high - low) / 255 : 1, zero = std::nearbyint(-low / scale);
      for (graft::index o = 0; o < w.rows(); ++o) {
        const auto other = w.row(o).segment(k, n);
        const float most = other.cwiseAbs().maxCoeff();
        double sum = 0;
        for (graft::index e = 0; e < n && most > 0; ++e) {
          const double q = std::min(255.0F, std::max(0.0F, std::nearbyint(own(e) * (1 / scale)) + zero)) - zero;
          sum += q * std::nearbyint(other(e) * (127 / most));
        }
        y(r, o) += sum * scale * most / 127;
      }
    }
  }
  return y;
}

}  // namespace

TEST_CASE("a product in 8 bits is what its formula says, for any shape and number of threads, and close to the exact one") {
  const auto shape = GENERATE(std::array<graft::index, 3>{1, 64, 16}, std::array<graft::index, 3>{33, 130, 47},
                              std::array<graft::index, 3>{70, 200, 100}, std::array<graft::index, 3>{5, 6, 3});
  CAPTURE(shape[0], shape[1], shape[2]);
  auto w = weight_for_int8(shape[2], shape[1]);
  matrix<float> x = graft_test::random_matrix<float>(shape[0], shape[1], 2);
  x(0, 0) = 100;  // a large one costs its neighbours exactness
  if (shape[0] > 1) x.row(1).setZero();
  CHECK(!graft::int8_form(w));
  graft::pack_int8_weight(w, 2);
  const matrix<float> y = int8_answer<graft::f32>(x, w, 1);
  const matrix<double> expected = int8_by_formula(x, w.value());
  CHECK((y.cast<double>() - expected).cwiseAbs().maxCoeff() <= 1e-5 * expected.cwiseAbs().maxCoeff());
  CHECK((shape[0] == 1 || y.row(1).isZero()));
  for (const int threads : {2, 3}) CHECK(int8_answer<graft::f32>(x, w, threads) == y);
  CHECK(int8_answer<graft::f32>(x.topRows((shape[0] + 1) / 2), w, 1) == y.topRows((shape[0] + 1) / 2));  // a row's numbers are its own
  const matrix<double> exact = x.cast<double>() * matrix<float>(w.value()).cast<double>().transpose();
  CHECK((y.cast<double>() - exact).norm() < 0.02 * exact.norm());
  const matrix<float> rounded = x.unaryExpr([](float v) { return static_cast<float>(graft::bfloat16(v)); });
  CHECK(int8_answer<graft::bf16>(x, w, 1) == int8_answer<graft::f32>(rounded, w, 1));
  w.edit() *= 2;
  CHECK(!graft::int8_form(w));  // and is rounded no longer
}

TEST_CASE("what is no number stays none in 8 bits") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  auto w = weight_for_int8(20, 130);
  graft::pack_int8_weight(w, 1);
  for (const float bad : {nan, infinity, -infinity}) {
    for (const graft::index k : {0, 31, 63, 64, 129}) {
      INFO(bad << " at " << k);
      matrix<float> x = graft_test::random_matrix<float>(3, 130, 2);
      x(1, k) = bad;
      const matrix<float> y = int8_answer<graft::f32>(x, w, 1);
      CHECK(!y.row(1).allFinite());
      CHECK(y.row(0).allFinite());
      CHECK(y.row(2).allFinite());
      CHECK(!int8_answer<graft::bf16>(x, w, 1).row(1).allFinite());
      std::array<float, 2> range{0, 0};
      graft::detail::plain_range(x.row(1).data(), 130, range);
      CHECK(!(std::isfinite(range[0]) && std::isfinite(range[1])));
    }
  }
}

TEST_CASE("kernels and rounding in 8 bits for this processor and for any are the same whole numbers") {
  constexpr graft::index depth = 3;
  std::vector<graft::detail::left_tile> a(2 * depth);
  std::vector<graft::detail::right_tile> b(2 * depth);
  std::uint32_t state = 7;
  const auto next = [&] { return state = state * 1664525U + 1013904223U; };
  for (auto& t : a) {
    for (auto& q : t.q) q = static_cast<std::uint8_t>(next() >> 24U);
    for (int i = 0; i < 16; ++i) t.scale[i] = 0.5F, t.more[i] = static_cast<float>(next() >> 24U);
  }
  for (auto& t : b) {
    for (auto& q : t.q) q = static_cast<std::int8_t>(static_cast<int>(next() >> 24U) % 255 - 127);
    for (int i = 0; i < 16; ++i) t.scale[i] = 0.25F, t.more[i] = static_cast<float>(static_cast<int>(next() >> 24U));
  }
  for (const graft::index side : {5, 16, 21, 32}) {
    alignas(64) float one[1024] = {}, other[1024] = {};
    graft::detail::int8_kernel()(a.data(), b.data(), depth, side, side, one, {});
    graft::detail::plain_int8_kernel(a.data(), b.data(), depth, side, side, other, {});
    for (graft::index r = 0; r < side; ++r) {
      for (graft::index c = 0; c < side; ++c) CHECK(one[r * 32 + c] == other[r * 32 + c]);  // scales are powers of two: no rounding
    }
  }
  const matrix<float> x = 40 * graft_test::random_matrix<float>(1, 67, 3);
  const auto fast = graft::detail::int8_rounding<float>();
  std::array<float, 2> range{0, 0}, plain{0, 0};
  fast.range(x.data(), 67, range);
  graft::detail::plain_range(x.data(), 67, plain);
  CHECK(range == plain);
  std::uint8_t q[67], plain_q[67];
  fast.round(x.data(), 67, 2, 100, q);
  graft::detail::plain_round(x.data(), 67, 2, 100, plain_q);
  CHECK(std::equal(std::begin(q), std::end(q), std::begin(plain_q)));
}
