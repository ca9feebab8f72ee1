// Packed factors, and products that hand out their blocks.

#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>
#include <limits>
#include <tuple>

#include "graft/gemm/gemm.hpp"
#include "support/random_values.hpp"
#include "support/tile_paths.hpp"

using graft::const_view;
using graft::matrix;
using graft::packed_a;
using graft::packed_b;
using graft::transpose;
using graft::view;

namespace {

/// As a product of P reads it.
template <class P>
matrix<double> rounded(const matrix<typename P::real>& m) {
  return m.template cast<typename P::operand>().template cast<double>();
}

/// The largest error of C against A B in double, as a share of K eps |A| |B|, K the depth and two more, eps of the sums' type.
template <class P>
double bounded_error(const matrix<typename P::real>& c, const matrix<double>& a, const matrix<double>& b) {
  const matrix<double> exact = a * b;
  const matrix<double> sizes = a.cwiseAbs() * b.cwiseAbs();
  const double unit = static_cast<double>(a.cols() + 2) * static_cast<double>(std::numeric_limits<typename P::real>::epsilon());
  double worst = 0;
  for (graft::index i = 0; i < c.rows(); ++i) {
    for (graft::index j = 0; j < c.cols(); ++j) {
      const double error = std::abs(static_cast<double>(c(i, j)) - exact(i, j));
      if (!(error <= 1e300)) return 1e300;
      if (error > 0) worst = std::max(worst, error / (unit * sizes(i, j)));
    }
  }
  return worst;
}

/// op(A) op(B) from packed factors; every element must come exactly once.
template <class P>
matrix<typename P::real> packed_product(transpose op_a, const matrix<typename P::real>& a, transpose op_b,
                                        const matrix<typename P::real>& b, graft::context& ctx) {
  using real = typename P::real;
  graft::scratch::mark mark(ctx.memory);
  const auto left = packed_a<P>::pack(op_a, const_view<real>(a), ctx);
  const auto right = packed_b<P>::pack(op_b, const_view<real>(b), ctx);
  matrix<real> c = matrix<real>::Zero(left.rows(), right.columns());
  matrix<real> count = c;
  graft::product<P>(left, right, ctx, [&](graft::index row, graft::index col, const auto& block) {
    c.block(row, col, block.rows(), block.cols()) += block;
    count.block(row, col, block.rows(), block.cols()).array() += 1;
  });
  CHECK((count.array() == 1).all());
  return c;
}

template <class P>
void check_products(graft::context& ctx, const std::vector<std::tuple<graft::index, graft::index, graft::index>>& shapes) {
  using real = typename P::real;
  for (const auto& [m, k, n] : shapes) {
    for (const transpose op_a : {transpose::no, transpose::yes}) {
      for (const transpose op_b : {transpose::no, transpose::yes}) {
        const bool flip_a = op_a == transpose::yes, flip_b = op_b == transpose::yes;
        const auto a = graft_test::random_matrix<real>(flip_a ? k : m, flip_a ? m : k, 1);
        const auto b = graft_test::random_matrix<real>(flip_b ? n : k, flip_b ? k : n, 2);
        INFO(P::name << ", (" << m << ", " << k << ", " << n << "), A " << (flip_a ? "transposed" : "as it is") << ", B "
                     << (flip_b ? "transposed" : "as it is"));
        matrix<double> left = rounded<P>(a), right = rounded<P>(b);
        if (flip_a) left = left.transpose().eval();
        if (flip_b) right = right.transpose().eval();
        CHECK(bounded_error<P>(packed_product<P>(op_a, a, op_b, b, ctx), left, right) <= 1);
      }
    }
  }
}

/// Everything from 1 to 40 in one of the three dimensions, and shapes of more than one panel, tile and chunk in all.
std::vector<std::tuple<graft::index, graft::index, graft::index>> ragged_shapes() {
  std::vector<std::tuple<graft::index, graft::index, graft::index>> shapes{{33, 65, 49},   {64, 64, 64}, {5, 0, 7},
                                                                           {150, 40, 300}, {2, 700, 3},  {290, 450, 35}};
  for (graft::index i = 1; i <= 40; ++i) {
    shapes.emplace_back(i, 5, 3);
    shapes.emplace_back(3, i, 5);
    shapes.emplace_back(5, 3, i);
  }
  return shapes;
}

}  // namespace

TEST_CASE("packed products in f32 and f64 agree with a product in double on ragged shapes") {
  graft::context ctx;
  check_products<graft::f64>(ctx, ragged_shapes());
  check_products<graft::f32>(ctx, ragged_shapes());
}

TEST_CASE("packed products in bf16 agree with a product in double of the rounded factors, on every path") {
  const graft_test::tile_paths paths;
  for (const auto path : paths) {
    INFO(graft::tile_path_name(path));
    graft::context ctx;
    ctx.tiles = path;
    check_products<graft::bf16>(ctx, ragged_shapes());
  }
}

#if defined(__x86_64__) && defined(__linux__)
TEST_CASE("AMX machine code is what runs on the AMX path") {
  const graft_test::tile_paths paths;
  if (!graft_test::tile_emulator::needed()) return;  // then nothing can be counted
  const auto before = graft_test::tile_emulator::executed();
  CHECK(graft::detail::kernel_self_test(graft::tile_path::amx));
  CHECK(graft_test::tile_emulator::executed() > before + 16);  // two tiles deep, four products and loads each
}
#endif

TEST_CASE("NEON's instructions for bf16 are what runs on their path: they round to odd") {
  if (!graft::detail::has_neon_bf16()) return;
  matrix<float> a = matrix<float>::Zero(1, 32);
  a(0, 0) = 1;
  a(0, 1) = 0x1p-30F;
  const matrix<float> ones = matrix<float>::Ones(32, 1);
  for (const auto path : {graft::tile_path::portable, graft::tile_path::neon}) {
    graft::context ctx;
    ctx.tiles = path;
    CHECK(packed_product<graft::bf16>(transpose::no, a, transpose::no, ones, ctx)(0, 0) ==
          (path == graft::tile_path::neon ? 1 + 0x1p-23F : 1));
  }
}

TEST_CASE("the first kernel that runs is taken, and of another path none is asked for") {
  using graft::tile_path;
  static int asked = 0;
  const graft::detail::kernel_choice<int> all[] = {
      {"tiles", [] { return ++asked > 0; }, 1, tile_path::amx},
      {"none has it", [] { return false; }, 2},
      {"plain code", graft::detail::anywhere, 3},
  };
  const graft::detail::kernel_list<int> list = all;
  CHECK(graft::detail::first_that_runs(list).code == 3);
  CHECK(graft::detail::first_that_runs(list, tile_path::avx512).code == 3);
  CHECK(asked == 0);
  CHECK(graft::detail::first_that_runs(list, tile_path::amx).code == 1);
}

TEMPLATE_TEST_CASE("every kernel that this processor runs is exact for whole numbers, of any height and width", "", float, double,
                   graft::bfloat16) {
  using T = TestType;
  using real = std::conditional_t<std::is_same_v<T, graft::bfloat16>, float, T>;
  constexpr graft::index tiles = 13, depth = tiles * graft::tile<T>::depth, panel = tiles * graft::tile<T>::size;  // more than one part
  matrix<real> a(32, depth), b(depth, 32);
  for (graft::index i = 0; i < 32; ++i) {
    for (graft::index k = 0; k < depth; ++k) a(i, k) = real((3 * i + 5 * k) % 7 - 3), b(k, i) = real((2 * k + 7 * i) % 9 - 4);
  }
  const matrix<real> exact = a * b;
  std::vector<T> left(2 * panel), right(2 * panel);
  for (const graft::index p : {0, 1}) {
    graft::pack_panel(true, transpose::no, const_view<real>(a), p, left.data() + p * panel);
    graft::pack_panel(false, transpose::no, const_view<real>(b), p, right.data() + p * panel);
  }
  const auto kernels = [] {
    if constexpr (std::is_same_v<T, graft::bfloat16>) {
      return graft::detail::bf16_kernels();
    } else {
      return graft::detail::real_kernels<T>();
    }
  }();
  CHECK(kernels.back().runs(graft::tile_path::portable));
  const graft_test::tile_paths every;  // emulates tiles where there are none
  for (const auto& kernel : kernels) {
    const auto path = kernel.needs.value_or(graft::tile_path::portable);
    if (!kernel.runs(path) || std::ranges::find(every, path) == every.end()) continue;
    CHECK(kernel.code != nullptr);
    const graft::detail::tile_unit unit(path);
    for (const graft::index width : {3, 16, 21, 32}) {
      for (graft::index height = 1; height <= 32; ++height) {
        INFO(kernel.name << ", " << height << " x " << width);
        matrix<real> c = matrix<real>::Constant(32, 32, 100);
        kernel.code(left.data(), right.data(), tiles, height, width, c.data(), {});
        CHECK(c.topLeftCorner(height, width) == exact.topLeftCorner(height, width));
      }
    }
  }
}

TEST_CASE("a path that multiplies wrong fails the self-test, others pass it") {
  const graft_test::tile_paths paths;
  for (const auto path : paths) {
    INFO(graft::tile_path_name(path));
    CHECK(graft::detail::kernel_self_test(path));
    CHECK_FALSE(graft::detail::kernel_self_test(path, 1));
  }
}

TEST_CASE("what the factors' rounding costs is bounded by their sizes") {
  graft::context ctx;
  const auto a = graft_test::random_matrix<float>(20, 100, 1);
  const auto b = graft_test::random_matrix<float>(100, 30, 2);
  const matrix<float> c = packed_product<graft::bf16>(transpose::no, a, transpose::no, b, ctx);
  const matrix<double> exact = a.cast<double>() * b.cast<double>();
  const matrix<double> sizes = a.cast<double>().cwiseAbs() * b.cast<double>().cwiseAbs();
  const double unit = std::pow(2.0, -8);  // half a unit in the last of 8 places, for each of the two factors
  CHECK(((c.cast<double>() - exact).array().abs() <= unit * 1.01 * sizes.array()).all());
}

TEST_CASE("the bits of a product do not depend on the number of threads") {
  const auto a = graft_test::random_matrix<float>(300, 450, 1);
  const auto b = graft_test::random_matrix<float>(450, 170, 2);
  const auto check = [&]<class P>(P) {
    graft::context ctx;
    ctx.threads = 1;
    const matrix<float> one = packed_product<P>(transpose::no, a, transpose::no, b, ctx);
    for (const int threads : {2, 4, 5, 7}) {
      ctx.threads = threads;
      CHECK(packed_product<P>(transpose::no, a, transpose::no, b, ctx) == one);
    }
  };
  check(graft::f32{});
  check(graft::bf16{});
}

TEST_CASE("a team shares the columns of a product evenly, and each block is one thread's") {
  const auto team = GENERATE(table<int, graft::index, graft::index, graft::index>({{2, 2, 48, 1},
                                                                                   {2, 2, 48, 3},
                                                                                   {2, 8, 192, 1},
                                                                                   {3, 27, 48, 1},
                                                                                   {8, 2, 48, 1},
                                                                                   {4, 8, 4, 2},
                                                                                   {2, 256, 48, 1},
                                                                                   {2, 1, 1, 1},
                                                                                   {1, 20, 48, 3},
                                                                                   {2, 0, 4, 1}}));
  const int threads = std::get<0>(team);  // no structured binding: clang 14 keeps those from OpenMP
  const graft::index rows = std::get<1>(team), columns = std::get<2>(team), count = std::get<3>(team);
  CAPTURE(threads, rows, columns, count);
  graft::context ctx;
  ctx.threads = threads;
  graft::matrix<int> times = graft::matrix<int>::Zero(rows * count, columns);
  graft::index largest = 0;
  graft::detail::partition(rows, columns, 24576, count, graft::tile_path::portable, ctx,
                           [&](graft::index which, std::array<graft::index, 2> down, std::array<graft::index, 2> across) {
#pragma omp critical(graft_test_partition)
                             {
                               times.block(which * rows + down[0], across[0], down[1] - down[0], across[1] - across[0]).array() += 1;
                               largest = std::max(largest, (down[1] - down[0]) * (across[1] - across[0]));
                             }
                           });
  CHECK((times.array() == 1).all());
  if (rows >= 2 && columns >= 48 && threads > 1) CHECK(4 * threads * largest <= 3 * rows * columns * count);
}

TEST_CASE("the bits of a row depend neither on the rows around it nor on where it stands, on every path") {
  const auto a = graft_test::random_matrix<float>(45, 450, 1);  // so deep that rows pass it in parts
  const auto b = graft_test::random_matrix<float>(450, 50, 2);
  const graft_test::tile_paths paths;
  for (const auto path : paths) {
    INFO(graft::tile_path_name(path));
    graft::context ctx;
    ctx.tiles = path;
    const auto rows_from = [&](graft::index row, graft::index n) -> matrix<float> {
      return packed_product<graft::bf16>(transpose::no, a.middleRows(row, n), transpose::no, b, ctx);
    };
    const matrix<float> all = rows_from(0, a.rows());
    for (graft::index row = 0; row < a.rows(); ++row) CHECK(rows_from(row, 1) == all.middleRows(row, 1));
    for (const graft::index row : {1, 3, 10, 17}) CHECK(rows_from(row, a.rows() - row) == all.bottomRows(a.rows() - row));
  }
}

TEST_CASE("a left factor takes blocks as they come from a product") {
  graft::context ctx;
  const auto check = [&]<class P>(P) {
    using real = typename P::real;
    for (const auto& [rows, depth] : {std::pair<graft::index, graft::index>{70, 37}, {16, 64}, {1, 1}, {33, 100}}) {
      const auto x = graft_test::random_matrix<real>(rows, depth, 1);
      const auto packed = packed_a<P>::pack(transpose::no, const_view<real>(x), ctx);
      const auto stored = packed_a<P>::take(rows, depth, ctx);
      const const_view<real> all(x);
      for (graft::index row = 0; row < rows; row += 32) {
        for (graft::index col = 0; col < depth; col += 32) {
          stored.store(row, col, all.window(row, col, std::min<graft::index>(32, rows - row), std::min<graft::index>(32, depth - col)));
        }
      }
      using format = graft::tile<typename P::operand>;
      for (graft::index r = 0; r < rows; ++r) {  // rows that the last panel lacks may hold anything
        for (graft::index k = 0; k < format::tiles(depth) * format::depth; ++k) {
          const graft::index at = k / format::depth * format::size + format::left(r % 16, k % format::depth);
          CHECK(stored.panel(r / 16)[at] == packed.panel(r / 16)[at]);
        }
      }
    }
  };
  check(graft::f64{});
  check(graft::f32{});
  check(graft::bf16{});
}

TEST_CASE("a weight gives the products of its value as it is, packed or not") {
  graft::context ctx;
  auto w = graft::parameter<float>::factor("w", graft::parameter_role::weight, 40, 50);
  w.edit() = graft_test::random_matrix<float>(40, 50, 1);
  const auto x = graft_test::random_matrix<float>(9, 50, 2);
  const auto forward = [&] {
    matrix<float> y(9, 40);
    graft::product<graft::f32>(x, {w, transpose::yes}, ctx, [&](graft::index row, graft::index col, const auto& block) {
      y.block(row, col, block.rows(), block.cols()) = block;
    });
    return y;
  };
  const matrix<float> before = forward();
  graft::pack_weight<graft::f32>(w, true, 2);
  CHECK(forward() == before);
  CHECK(w.packed() != nullptr);
  w.edit() *= 2;  // and is packed no longer
  CHECK(w.packed() == nullptr);
  CHECK(forward() == 2 * before);
  graft::pack_weight<graft::f32>(w, false, 1);
  w.train();
  w.edit() /= 2;
  CHECK(forward() == before);
  graft::pack_weight<graft::f32>(w, true, 1);
  const graft::packed_weight* memory = w.packed();
  CHECK(forward() == before);
  w.edit() *= 2;
  CHECK(w.packed() == nullptr);
  CHECK(forward() == 2 * before);
  graft::pack_weight<graft::f32>(w, true, 1);
  CHECK(w.packed() == memory);
  CHECK(forward() == 2 * before);
}

TEMPLATE_TEST_CASE("a kernel writes its block wherever that lies, on every path", "", graft::f32, graft::f64, graft::bf16) {
  using operand = typename TestType::operand;
  using real = typename TestType::real;
  constexpr graft::index depth = 2, size = 2 * depth * graft::tile<operand>::size;
  alignas(64) static operand a[size], b[size];
  alignas(64) static real c[graft::detail::block_side * graft::detail::block_side + 1];
  std::fill(std::begin(a), std::end(a), operand(1));
  std::fill(std::begin(b), std::end(b), operand(2));
  const graft_test::tile_paths paths;
  for (const auto path : paths) {
    INFO(graft::tile_path_name(path));
    std::fill(std::begin(c), std::end(c), real(-1));
    {
      const graft::detail::tile_unit unit(path);
      graft::detail::kernel_of<TestType>(path)(a, b, depth, 32, 32, c + 1, {});
    }
    CHECK(c[0] == real(-1));
    CHECK(std::all_of(std::begin(c) + 1, std::end(c), [](real sum) { return sum == real(2 * depth * graft::tile<operand>::depth); }));
  }
}
