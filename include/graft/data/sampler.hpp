#pragma once
// The order in which an epoch visits the examples.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graft/core/random.hpp"

namespace graft {

/// The random streams (seed, epoch, stream) that this room uses, far from those of a training step.
inline constexpr std::uint64_t shuffle_stream = ~std::uint64_t{0};
inline constexpr std::uint64_t subset_stream = ~std::uint64_t{1};
inline constexpr std::uint64_t group_stream = ~std::uint64_t{2};  // of the first window; the others lie below

/// 0 .. n - 1 in random order, by Fisher and Yates. Each pick takes a 64-bit number modulo the m places left, so no place is
/// favored by more than a factor 1 + m / 2^64. The result depends on n and the stream only.
std::vector<std::size_t> permutation(std::size_t n, const random_stream& stream);

/// The order of the N examples in epoch EPOCH (from 0): a fresh permutation each epoch, or file order without SHUFFLE.
std::vector<std::size_t> epoch_order(std::size_t n, std::uint64_t seed, std::uint64_t epoch, bool shuffle);

/// ORDER, an epoch's, with batches of similar length: the rows of every WINDOW batches are sorted by length, equal ones in the order they
/// had, cut into batches, and the batches visited in random order. Rows that fill no batch stay last, unsorted, so that no length is
/// favored there. The result depends on the arguments only.
/// @param  lengths  of every row, in tokens            BATCH_SIZE, WINDOW  at least 1
std::vector<std::size_t> grouped_by_length(std::vector<std::size_t> order, std::span<const std::size_t> lengths, std::size_t batch_size,
                                           std::size_t window, std::uint64_t seed, std::uint64_t epoch);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/sampler-inl.hpp"  // IWYU pragma: export
#endif
