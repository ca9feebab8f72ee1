#pragma once
// Bodies of graft/data/sampler.hpp.

#include <algorithm>
#include <numeric>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/data/sampler.hpp"

namespace graft {

GRAFT_INLINE std::vector<std::size_t> permutation(std::size_t n, const random_stream& stream) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t left = n; left > 1; --left) {
    const std::uint64_t bits = std::uint64_t{stream.bits(2 * left)} << 32 | stream.bits(2 * left + 1);
    std::swap(order[left - 1], order[bits % left]);
  }
  return order;
}

GRAFT_INLINE std::vector<std::size_t> epoch_order(std::size_t n, std::uint64_t seed, std::uint64_t epoch, bool shuffle) {
  if (shuffle) return permutation(n, random_stream(seed, epoch, shuffle_stream));
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

GRAFT_INLINE std::vector<std::size_t> grouped_by_length(std::vector<std::size_t> order, std::span<const std::size_t> lengths,
                                                        std::size_t batch_size, std::size_t window, std::uint64_t seed,
                                                        std::uint64_t epoch) {
  std::vector<std::size_t> sorted;
  const std::size_t batches = order.size() / batch_size;
  for (std::size_t first = 0, number = 0; first < batches; first += window, ++number) {
    const std::size_t count = std::min(window, batches - first);
    auto row = order.begin() + static_cast<std::ptrdiff_t>(first * batch_size);
    sorted.assign(row, row + static_cast<std::ptrdiff_t>(count * batch_size));
    std::stable_sort(sorted.begin(), sorted.end(), [&](std::size_t a, std::size_t b) { return lengths[a] < lengths[b]; });
    for (const std::size_t batch : permutation(count, random_stream(seed, epoch, group_stream - number))) {
      row = std::copy_n(sorted.begin() + static_cast<std::ptrdiff_t>(batch * batch_size), batch_size, row);
    }
  }
  return order;
}

}  // namespace graft
