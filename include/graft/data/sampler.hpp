#pragma once
// The order in which an epoch visits the examples.

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "graft/core/random.hpp"

namespace graft {

/// The `place`s of the random streams (seed, epoch, place) that this room uses, far from those of a training step.
inline constexpr std::uint64_t shuffle_place = ~std::uint64_t{0};
inline constexpr std::uint64_t subset_place = ~std::uint64_t{1};

/// 0 .. n - 1 in random order, by Fisher and Yates. Each pick takes a 64-bit number modulo the m places left, so no place is
/// favored by more than a factor 1 + m / 2^64. The result depends on n and the stream only.
inline std::vector<std::size_t> permutation(std::size_t n, const random_stream& stream) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t left = n; left > 1; --left) {
    const std::uint64_t bits = std::uint64_t{stream.bits(2 * left)} << 32 | stream.bits(2 * left + 1);
    std::swap(order[left - 1], order[bits % left]);
  }
  return order;
}

/// The order of the N examples in epoch EPOCH (from 0): a fresh permutation each epoch, or file order without SHUFFLE.
inline std::vector<std::size_t> epoch_order(std::size_t n, std::uint64_t seed, std::uint64_t epoch, bool shuffle) {
  if (shuffle) return permutation(n, random_stream(seed, epoch, shuffle_place));
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

}  // namespace graft
