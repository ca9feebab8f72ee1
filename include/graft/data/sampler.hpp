#pragma once
// The order in which an epoch visits the examples.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "graft/core/random.hpp"

namespace graft {

/// The `place`s of the random streams (seed, epoch, place) that this room uses, far from those of a training step.
inline constexpr std::uint64_t shuffle_place = ~std::uint64_t{0};
inline constexpr std::uint64_t subset_place = ~std::uint64_t{1};
inline constexpr std::uint64_t group_place = ~std::uint64_t{2};  // of the first window; the others lie below

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

/// ORDER, an epoch's, with batches of similar length: the rows of every WINDOW batches are sorted by length, equal ones in the order they
/// had, cut into batches, and the batches visited in random order. Rows that fill no batch stay last, unsorted, so that no length is
/// favored there. The result depends on the arguments only.
/// @param  lengths  of every row, in tokens            BATCH_SIZE, WINDOW  at least 1
inline std::vector<std::size_t> grouped_by_length(std::vector<std::size_t> order, std::span<const std::size_t> lengths,
                                                  std::size_t batch_size, std::size_t window, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::size_t> sorted;
  const std::size_t batches = order.size() / batch_size;
  for (std::size_t first = 0, number = 0; first < batches; first += window, ++number) {
    const std::size_t count = std::min(window, batches - first);
    auto row = order.begin() + static_cast<std::ptrdiff_t>(first * batch_size);
    sorted.assign(row, row + static_cast<std::ptrdiff_t>(count * batch_size));
    std::stable_sort(sorted.begin(), sorted.end(), [&](std::size_t a, std::size_t b) { return lengths[a] < lengths[b]; });
    for (const std::size_t batch : permutation(count, random_stream(seed, epoch, group_place - number))) {
      row = std::copy_n(sorted.begin() + static_cast<std::ptrdiff_t>(batch * batch_size), batch_size, row);
    }
  }
  return order;
}

}  // namespace graft
