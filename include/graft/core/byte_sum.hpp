#pragma once
// A sum that tells whether bytes are still what was written.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "graft/core/random.hpp"

namespace graft {

/// A 64-bit sum over BYTES, as fast as memory is read, not for keeping secrets. The words w of 8 bytes, zeros behind the last, go in turn
/// to 32 lanes x = G x + w, where + is exclusive or, and G three shifts: over bits an invertible matrix whose powers G^1 ... G^(2^64-1) all
/// differ, so a lane is a polynomial's value at an element of the field of 2^64. Where one lane alone differs, by a changed word or by two
/// that changed places, the sum always does; any other damage that nobody chose passes by a chance of 2^-64.
/// Source: the shifts, Marsaglia, "Xorshift RNGs" (2003).   Tested: tests/core/byte_sum_test.cpp
inline std::uint64_t byte_sum(std::span<const std::byte> bytes) {
  constexpr std::size_t lanes = 32, ahead = 2048;  // fetched: without, two threads take a fifth longer
  std::array<std::uint64_t, lanes> sums, words{};
  for (std::size_t i = 0; i < lanes; ++i) sums[i] = detail::mix64(i + 1);
  const auto add = [&] {
#pragma omp simd
    for (std::size_t i = 0; i < lanes; ++i) {
      std::uint64_t x = sums[i];
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
      sums[i] = x ^ words[i];
    }
  };
  std::span<const std::byte> rest = bytes;
  for (; rest.size() >= sizeof(words); rest = rest.subspan(sizeof(words))) {
    if (rest.size() >= ahead + sizeof(words)) {
      for (std::size_t line = 0; line < sizeof(words); line += 64) __builtin_prefetch(rest.data() + ahead + line);
    }
    std::memcpy(words.data(), rest.data(), sizeof(words));
    add();
  }
  words = {};
  if (!rest.empty()) std::memcpy(words.data(), rest.data(), rest.size());
  add();
  std::uint64_t sum = detail::mix64(bytes.size());
  for (const std::uint64_t lane : sums) sum = detail::mix64(sum ^ lane);
  return sum;
}

}  // namespace graft
