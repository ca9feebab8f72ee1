#include "graft/gemm/int8_product.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/random_values.hpp"
#include "support/tile_paths.hpp"

namespace {

using graft::const_view;
using graft::matrix;
using graft::transpose;
using graft::view;

matrix<float> sixteenths(const matrix<float>& m) {
  return m.unaryExpr([](float v) { return std::nearbyint(v * 16) / 16; });
}

graft::parameter<float> weight_for_int8(graft::index out, graft::index in) {
  auto w = graft::parameter<float>::factor("w", graft::parameter_role::weight, out, in);
  w.edit() = sixteenths(graft_test::random_matrix<float>(out, in, 1));
  return w;
}

template <class P>
matrix<float> int8_answer(const matrix<float>& x, const graft::parameter<float>& w, int threads, bool from_matrix = false,
                          const float* bias = nullptr) {
  matrix<float> y(x.rows(), w.rows());
  graft::context ctx;
  ctx.threads = threads;
  const graft::int8_rows left = from_matrix ? graft::int8_rows::of(const_view<float>(x), ctx)
                                            : graft::int8_rows::of(graft::packed_a<P>::pack(transpose::no, const_view<float>(x), ctx), ctx);
  graft::int8_weight right = *graft::int8_form(w);
  right.bias = bias;
  graft::int8_products<P>(left, std::span(&right, 1), ctx, [&](graft::index which, graft::index row, graft::index col, view<float> block) {
    CHECK(which == 0);
    y.block(row, col, block.rows(), block.cols()) = block;
  });
  return y;
}

/// The rows of X, filled up to blocks of 128, times signs and the Hadamard matrix.
matrix<double> turned_by_formula(const matrix<float>& x) {
  constexpr graft::index side = graft::detail::turned;
  matrix<double> y = matrix<double>::Zero(x.rows(), (x.cols() + side - 1) / side * side);
  for (graft::index k = 0; k < y.cols(); ++k) {
    for (graft::index from = k / side * side; from < std::min(k / side * side + side, x.cols()); ++from) {
      const bool negative = (std::popcount(static_cast<unsigned>(k % side & from % side)) & 1) != 0;
      y.col(k) += (negative ? -1 : 1) * graft::detail::turn_signs[static_cast<std::size_t>(from % side)] * x.col(from).cast<double>();
    }
  }
  return y;
}

/// The same by the formula, of numbers whose sums are exact.
matrix<double> int8_by_formula(const matrix<float>& x, const matrix<float>& w) {
  const auto round = [](const matrix<double>& m) {
    matrix<double> rounded = matrix<double>::Zero(m.rows(), m.cols());
    for (graft::index r = 0; r < m.rows(); ++r) {
      const auto most = static_cast<float>(m.row(r).cwiseAbs().maxCoeff());
      for (graft::index k = 0; k < m.cols() && most > 0; ++k) {
        rounded(r, k) = static_cast<double>(std::nearbyint(static_cast<float>(m(r, k)) * (127 / most))) * most / 127;
      }
    }
    return rounded;
  };
  return round(turned_by_formula(x)) * round(turned_by_formula(w)).transpose() / graft::detail::turned;
}

}  // namespace

TEST_CASE("a product in 8 bits is what its formula says, for any shape and number of threads, and close to the exact one") {
  const auto shape =
      GENERATE(std::array<graft::index, 3>{1, 64, 16}, std::array<graft::index, 3>{33, 130, 47}, std::array<graft::index, 3>{70, 200, 100},
               std::array<graft::index, 3>{5, 6, 3}, std::array<graft::index, 3>{290, 900, 33});
  CAPTURE(shape[0], shape[1], shape[2]);
  auto w = weight_for_int8(shape[2], shape[1]);
  matrix<float> x = sixteenths(graft_test::random_matrix<float>(shape[0], shape[1], 2));
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
  CHECK(int8_answer<graft::f32>(x, w, 2, true) == y);  // of a matrix, of a factor
  const matrix<float> bias = graft_test::random_matrix<float>(1, shape[2], 3);
  const matrix<float> shifted = int8_answer<graft::f32>(x, w, 1, true, bias.data());
  CHECK((shifted - y - bias.replicate(y.rows(), 1)).cwiseAbs().maxCoeff() <= 1e-6F * (1 + y.cwiseAbs().maxCoeff()));
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
      float work[256];
      std::uint8_t q[256];
      CHECK(!std::isfinite(graft::detail::plain_round_row<float>({x.row(1).data(), 130, 64, 64}, work, q, 64)));
    }
  }
}

TEST_CASE("kernels and rounding in 8 bits for this processor and for any are the same whole numbers") {
  constexpr graft::index depth = 4, panel = graft::detail::int8_panel_bytes(depth);
  alignas(64) std::uint8_t a[2 * depth * 1024];
  alignas(64) std::byte b[2 * panel];
  std::uint32_t state = 7;
  const auto next = [&] { return state = state * 1664525U + 1013904223U; };
  for (auto& q : a) q = static_cast<std::uint8_t>(next() >> 24U);
  for (auto& q : b) q = static_cast<std::byte>(static_cast<std::uint8_t>(static_cast<int>(next() >> 24U) % 255 - 127));
  for (int p = 0; p < 2; ++p) {
    auto& behind = *reinterpret_cast<graft::detail::int8_columns*>(b + p * panel + depth * 1024);
    for (int i = 0; i < 16; ++i) behind.scale[i] = 0.3F + static_cast<float>(i), behind.start[i] = static_cast<std::int32_t>(next() >> 8U);
  }
  alignas(64) float scale[32], bias[32];
  for (int i = 0; i < 32; ++i) scale[i] = 0.7F * static_cast<float>(i), bias[i] = 1e9F / static_cast<float>(i + 1);
  for (const graft::index side : {3, 5, 12, 16, 21, 32}) {
    alignas(64) float one[1024] = {}, other[1024] = {};
    graft::detail::plain_int8_kernel(a, scale, b, bias, depth, side, side, other, {});
    const auto same_as_plain = [&](graft::detail::int8_kernel_code* kernel) {
      kernel(a, scale, b, bias, depth, side, side, one, {});
      for (graft::index r = 0; r < side; ++r) {
        for (graft::index c = 0; c < side; ++c) CHECK(one[r * 32 + c] == other[r * 32 + c]);
      }
    };
    same_as_plain(graft::detail::int8_kernel(graft::tile_path::portable));
#if defined(__x86_64__) && defined(__linux__)
    if (__builtin_cpu_supports("avx512f") == 0) continue;
    const graft_test::tile_paths every;  // emulates tiles where there are none
    const graft::detail::tile_unit unit(graft::tile_path::amx);
    same_as_plain(graft::detail::amx_int8_kernel);
#endif
  }
  const auto same = [](const auto* x, graft::index n) {
    float work[256];
    std::uint8_t q[256] = {}, plain_q[256] = {};
    using T = std::remove_cvref_t<decltype(*x)>;
    const graft::detail::row_in_pieces<T> row{x, n, 32, 32};
    CHECK(graft::detail::int8_rounding<T>()(row, work, q, 64) == graft::detail::plain_round_row<T>(row, work, plain_q, 64));
    CHECK(std::equal(std::begin(q), std::end(q), std::begin(plain_q)));
  };
  const matrix<float> x = 40 * graft_test::random_matrix<float>(1, 200, 3);
  const graft::matrix<graft::bfloat16> short_x = x.cast<graft::bfloat16>();
  for (const graft::index n : {7, 64, 128, 200}) {
    same(x.data(), n);
    same(short_x.data(), n);
  }
  const matrix<double> wide = x.cast<double>();  // in pieces that are shorter than a register
  float work[256];
  std::uint8_t q[256] = {}, pieces_q[256] = {};
  CHECK(graft::detail::int8_rounding<double>()({wide.data(), 200, 64, 64}, work, q, 64) ==
        graft::detail::int8_rounding<double>()({wide.data(), 200, 8, 8}, work, pieces_q, 64));
  CHECK(std::equal(std::begin(q), std::end(q), std::begin(pieces_q)));
  matrix<float> small = 1e-38F * x;  // too small for an inverse
  same(small.data(), 200);
}
