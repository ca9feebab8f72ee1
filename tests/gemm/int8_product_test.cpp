#include "graft/gemm/int8_product.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>

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
  x(0, 0) = 100;  // a large one costs its neighbors exactness
  if (shape[0] > 1) x.row(1).setZero();
  CHECK(!graft::int8_form(w));
  graft::pack_int8_weight(w, 2);
  const matrix<float> y = int8_answer<graft::f32>(x, w, 1);
  const matrix<double> expected = int8_by_formula(x, w.value());
  CHECK((y.cast<double>() - expected).cwiseAbs().maxCoeff() <= 1e-5 * expected.cwiseAbs().maxCoeff());
  CHECK((shape[0] == 1 || y.row(1).isZero()));
  for (const int threads : {2, 4, 7}) CHECK(int8_answer<graft::f32>(x, w, threads) == y);
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
      for (const auto& rounding : graft::detail::int8_roundings<float>()) {
        if (rounding.runs(graft::tile_path::portable)) CHECK(!std::isfinite(rounding.code({x.row(1).data(), 130, 64, 64}, work, q, 64)));
      }
    }
  }
}

TEST_CASE("every kernel in 8 bits that this processor runs gives the numbers of plain code, for any height and width") {
  const auto depth = GENERATE(graft::index{1}, 2, 4, 13);
  const bool extreme = GENERATE(false, true);
  const graft::index panel = graft::detail::int8_panel_bytes(depth), tiles = depth * 1024;
  alignas(64) static std::uint8_t a[2 * 13 * 1024];
  alignas(64) static std::byte b[2 * graft::detail::int8_panel_bytes(13)];
  std::uint32_t state = 7;
  const auto next = [&] { return state = state * 1664525U + 1013904223U; };
  const auto q = [&] { return extreme ? ((next() >> 24U) < 150 ? 127 : -127) : static_cast<int>(next() >> 24U) % 255 - 127; };
  for (graft::index i = 0; i < 2 * tiles; ++i) a[i] = static_cast<std::uint8_t>(q() + 128);
  for (graft::index p = 0; p < 2; ++p) {
    graft::detail::int8_columns behind{};
    for (graft::index i = 0; i < tiles; ++i) {
      const int weight = q();
      b[p * panel + i] = static_cast<std::byte>(static_cast<std::uint8_t>(weight));
      behind.start[i % 64 / 4] -= 128 * weight;
    }
    for (int i = 0; i < 16; ++i) behind.scale[i] = 0.3F + static_cast<float>(i);
    *reinterpret_cast<graft::detail::int8_columns*>(b + p * panel + tiles) = behind;
  }
  alignas(64) float scale[32], bias[32];
  for (int i = 0; i < 32; ++i) scale[i] = 0.7F * static_cast<float>(i), bias[i] = 1e9F / static_cast<float>(i + 1);
  const auto same_as_plain = [&](graft::detail::int8_kernel_code* kernel) {
    for (const graft::index width : {3, 16, 21, 32}) {
      for (graft::index height = 1; height <= 32; ++height) {
        alignas(64) float one[1024] = {}, other[1024] = {};
        kernel(a, scale, b, bias, depth, height, width, one, {.from = reinterpret_cast<const char*>(b), .lines = 5, .at_once = 0});
        graft::detail::plain_int8_kernel(a, scale, b, bias, depth, height, width, other, {});
        bool same = true;
        for (graft::index i = 0; i < height * 32; ++i) same = same && (i % 32 >= width || one[i] == other[i]);
        INFO(depth << " tiles, " << height << " x " << width);
        CHECK(same);
      }
    }
  };
  for (const auto& kernel : graft::detail::int8_kernels()) {
    for (const auto path : {graft::tile_path::portable, graft::tile_path::amx}) {
      if (!kernel.runs(path)) continue;
      INFO(kernel.name);
      const graft::detail::tile_unit unit(path);
      same_as_plain(kernel.code);
      break;
    }
  }
#if defined(__x86_64__) && defined(__linux__)
  if (__builtin_cpu_supports("avx512f") == 0) return;
  INFO("AMX tiles");
  const graft_test::tile_paths every;  // emulates tiles where there are none
  const graft::detail::tile_unit unit(graft::tile_path::amx);
  same_as_plain(graft::detail::amx_int8_kernel);
#endif
}

TEST_CASE("the best kernel and rounding in 8 bits that run are chosen, and plain code is the last") {
  for (const auto path : {graft::tile_path::portable, graft::tile_path::amx}) {
    for (const auto& kernel : graft::detail::int8_kernels()) {
      if (!kernel.runs(path)) continue;
      CHECK(graft::detail::first_that_runs(graft::detail::int8_kernels(), path).code == kernel.code);
      break;
    }
  }
  const auto& last = graft::detail::int8_kernels().back();
  CHECK(last.code == graft::detail::plain_int8_kernel);
  CHECK(last.runs(graft::tile_path::portable));
  CHECK(graft::detail::int8_roundings<float>().back().runs(graft::tile_path::portable));
}

TEST_CASE("every rounding to 8 bits that this processor runs gives the bytes of plain code") {
  const auto same = [](const auto* x, graft::index n, graft::index segment) {
    float work[256];
    std::uint8_t plain_q[256] = {};
    using T = std::remove_cvref_t<decltype(*x)>;
    const float scale = graft::detail::plain_round_row<T>({x, n, 64, 64}, work, plain_q, 64);
    for (const auto& rounding : graft::detail::int8_roundings<T>()) {
      if (!rounding.runs(graft::tile_path::portable)) continue;
      INFO(rounding.name << ", " << n << " numbers in segments of " << segment);
      std::uint8_t q[256] = {};
      CHECK(rounding.code({x, n, segment, segment}, work, q, 64) == scale);
      CHECK(std::equal(std::begin(q), std::end(q), std::begin(plain_q)));
    }
  };
  const matrix<float> x = 40 * graft_test::random_matrix<float>(1, 200, 3);
  const graft::matrix<graft::bfloat16> short_x = x.cast<graft::bfloat16>();
  const matrix<double> wide = x.cast<double>();
  const matrix<float> small = 1e-38F * x;  // too small for an inverse
  matrix<float> one_large = matrix<float>::Zero(1, 200);
  one_large(0, 5) = 3;  // turned, all have its magnitude: 127 or -127
  for (const graft::index n : {7, 64, 128, 200}) {
    for (const graft::index segment : {8, 32, 64}) {  // 8: shorter than a register
      same(x.data(), n, segment);
      same(short_x.data(), n, segment);
      same(wide.data(), n, segment);
      same(small.data(), n, segment);
      same(one_large.data(), n, segment);
    }
  }
}
