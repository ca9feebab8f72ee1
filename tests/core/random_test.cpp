#include "graft/core/random.hpp"

#include <array>
#include <catch2/catch.hpp>

using graft::random_stream;

TEST_CASE("a stream's numbers do not depend on the order in which they are asked for") {
  const random_stream stream(1, 2, 3);
  const auto last = stream.bits(999);
  const auto first = stream.bits(0);
  CHECK(random_stream(1, 2, 3).bits(0) == first);
  CHECK(random_stream(1, 2, 3).bits(999) == last);
  CHECK(graft::random_bits(1, 2, 3, 999) == last);
}

TEST_CASE("another seed, stream or place is another sequence") {
  const random_stream a(1, 2, 3);
  const std::array others{random_stream(2, 2, 3), random_stream(1, 3, 3), random_stream(1, 2, 4), random_stream(2, 1, 3)};
  for (const auto& other : others) {
    int equal_bits = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) equal_bits += 32 - __builtin_popcount(a.bits(i) ^ other.bits(i));
    CHECK(equal_bits == Approx(16000).margin(500));  // standard deviation 89
  }
  int equal = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) equal += a.bits(i) == a.bits(i + (std::uint64_t{1} << 32));
  CHECK(equal == 0);
}

TEST_CASE("bits are fair and independent of their neighbors") {
  const random_stream stream(7, 0, 0);
  constexpr int n = 20000;
  std::array<int, 32> ones{};
  std::array<int, 16> buckets{};
  double product = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint32_t x = stream.bits(i);
    for (std::size_t b = 0; b < 32; ++b) ones[b] += static_cast<int>(x >> b & 1);
    ++buckets[x >> 28];
    product += (stream.uniform(i) - 0.5) * (stream.uniform(i + 1) - 0.5);
  }
  for (const int count : ones) CHECK(count == Approx(n / 2).margin(400));  // 5.6 standard deviations
  double chi = 0;
  for (const int count : buckets) chi += (count - n / 16.0) * (count - n / 16.0) / (n / 16.0);
  CHECK(chi < 45);  // 15 degrees of freedom
  CHECK(product / n == Approx(0).margin(0.003));
}

TEST_CASE("uniform and normal numbers have their moments") {
  const random_stream stream(11, 5, 9);
  constexpr int n = 40000;
  double uniform = 0;
  double mean = 0;
  double square = 0;
  double fourth = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double u = stream.uniform(i);
    REQUIRE(u > 0);
    REQUIRE(u < 1);
    const double z = stream.normal(i);
    uniform += u;
    mean += z;
    square += z * z;
    fourth += z * z * z * z;
  }
  CHECK(uniform / n == Approx(0.5).margin(0.008));
  CHECK(mean / n == Approx(0).margin(0.025));
  CHECK(square / n == Approx(1).margin(0.04));
  CHECK(fourth / n == Approx(3).margin(0.25));
}
