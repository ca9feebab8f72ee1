#pragma once
// A sum that tells whether bytes are still what was written.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "graft/core/random.hpp"

namespace graft {

/// A 64-bit sum over BYTES, as fast as memory is read, not for keeping secrets: a changed word always changes it where no other has
/// changed, and any other damage but for a chance of 2^-64. The words w of 8 bytes go, in turn, to eight lanes x = (p ^ p >> 32) + w,
/// p = k rotl(x, 29).
/// Source: none; the lanes are like those of xxHash.   Tested: tests/core/byte_sum_test.cpp
inline std::uint64_t byte_sum(std::span<const std::byte> bytes) {
  constexpr std::size_t lanes = 8;
  std::array<std::uint64_t, lanes> sums, words{};
  for (std::size_t i = 0; i < lanes; ++i) sums[i] = detail::mix64(i + 1);
  const auto add = [&] {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < lanes; ++i) {
      const std::uint64_t product = std::rotl(sums[i], 29) * 0x9e3779b97f4a7c15;
      sums[i] = (product ^ product >> 32) + words[i];
      asm("" : "+r"(sums[i]));  // one by one: vectors of AVX2 have no such product, and make this seven times as slow
    }
  };
  std::span<const std::byte> rest = bytes;
  for (; rest.size() >= sizeof(words); rest = rest.subspan(sizeof(words))) {
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
