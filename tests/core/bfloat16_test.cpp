#include "graft/core/bfloat16.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

using graft::bfloat16;

namespace {

float through(float x) {
  bfloat16 kept;
  float back = 0;
  graft::convert(&x, &kept, 1);
  graft::convert(&kept, &back, 1);
  CHECK(graft::number(kept) == back);
  return back;
}

}  // namespace

TEST_CASE("bf16 rounds to nearest, ties to even") {
  CHECK(through(1.0F) == 1.0F);
  CHECK(through(-0.0F) == 0.0F);
  CHECK(std::signbit(through(-0.0F)));
  CHECK(through(1.0F + 0x1p-8F) == 1.0F);                       // half a unit above an even number
  CHECK(through(1.0F + 0x1p-7F + 0x1p-8F) == 1.0F + 0x1p-6F);   // above an odd one
  CHECK(through(1.0F + 0x1p-8F + 0x1p-20F) == 1.0F + 0x1p-7F);  // more than half
  CHECK(through(-3.14159265F) == -3.140625F);
  const float denormal = through(0x1p-130F);  // some processors take it for zero
  CHECK((denormal == 0x1p-130F || denormal == 0.0F));
}

TEST_CASE("what is not a finite number stays so") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(through(infinity) == infinity);
  CHECK(through(-infinity) == -infinity);
  CHECK(through(std::numeric_limits<float>::max()) == infinity);
  CHECK(std::isnan(graft::detail::bfloat16_value(graft::detail::bfloat16_bits(std::numeric_limits<float>::quiet_NaN()))));
  CHECK(std::isnan(graft::detail::bfloat16_value(graft::detail::bfloat16_bits(std::bit_cast<float>(0x7f800001u)))));  // payload low down
}

TEST_CASE("bf16 rounds as Eigen's does") {
  for (std::uint32_t bits = 0x00800000u; bits < 0x7f800000u; bits += 7919) {
    const float x = std::bit_cast<float>(bits);
    CHECK(through(x) == static_cast<float>(bfloat16(x)));
  }
}

TEST_CASE("a row rounds as its numbers do, and nothing behind it is touched") {
  for (const graft::index n : {1, 15, 16, 17, 31, 32, 33, 100}) {
    std::vector<float> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::ldexp(std::sin(static_cast<float>(i)), static_cast<int>(i % 40) - 20);
    std::vector<bfloat16> row(x.size() + 1, bfloat16(7));
    graft::convert(x.data(), row.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(graft::number(row[i]) == through(x[i]));
    CHECK(graft::number(row.back()) == 7);
  }
}
