#pragma once
// The sum over a batch's micro-batches where these are spread over several processes: the tree of one process, to the bit.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/index.hpp"
#include "graft/core/rank_group.hpp"

namespace graft::detail {

/// The first of the LEAVES that rank RANK of RANKS takes; its last is the one before the next rank's first.
inline index first_leaf(index leaves, int rank, int ranks) { return leaves * rank / ranks; }

/// A node of the tree over micro-batches: number AT of those LEVEL steps above the leaves. It holds the leaves AT 2^LEVEL and on, up to
/// 2^LEVEL of them.
struct tree_node {
  index level = 0, at = 0;
  index first() const { return at << level; }
  index last(index leaves) const { return std::min(leaves, (at + 1) << level); }
};

/// The node that holds all LEAVES.
inline tree_node top_node(index leaves) {
  tree_node top;
  while ((index{1} << top.level) < leaves) ++top.level;
  return top;
}

/// The largest nodes below NODE whose leaves are all among FIRST .. LAST - 1, from left to right, are added to FOUND.
inline void whole_nodes(tree_node node, index leaves, index first, index last, std::vector<tree_node>& found) {
  const index begin = node.first(), end = node.last(leaves);
  if (begin >= end || begin >= last || end <= first) return;
  if (begin >= first && end <= last) {
    found.push_back(node);
    return;
  }
  whole_nodes({node.level - 1, 2 * node.at}, leaves, first, last, found);
  whole_nodes({node.level - 1, 2 * node.at + 1}, leaves, first, last, found);
}

/// What every rank tells all others at every step, beside numbers.
struct rank_word {
  std::uint64_t wishes_stop = 0;
  std::uint64_t parameters = 0;  // a sum over the bits of what is trained, which must be the same everywhere
};

/// Whether a rank of GROUP wishes to stop.
/// @throws backend_error  some do not hold the parameters that rank 0 holds
inline bool agreed_stop(std::span<const rank_word> words) {
  bool stop = false;
  for (std::size_t r = 0; r < words.size(); ++r) {
    stop = stop || words[r].wishes_stop != 0;
    if (words[r].parameters == words[0].parameters) continue;
    throw backend_error("rank " + std::to_string(r) +
                        " trains other numbers than rank 0: its processor, library or memory computes something else, and nothing that " +
                        "both compute is one model; run on equal machines");
  }
  return stop;
}

/// The sum of a tree whose leaves are spread over a group, each rank's one after the other. Every rank has the sums of the largest nodes
/// that are all its own, and sends of each to rank r the r-th part of its numbers; rank r adds those of all ranks, as the tree says, and
/// sends its part of the total to all. So 2 (n - 1) / n of a block goes out of every rank and comes into it, where its leaves are one node.
/// No addition is another one, and none has other operands, than in one process: n ranks give the bits of one.
/// Tested: tests/training/ranks_test.cpp
template <class T>
class spread_sum {
 public:
  /// OWN(node): the block with the sum of one of this rank's nodes, SIZE numbers, which may be changed. Of RECORDS, one a leaf, this rank
  /// has those of its own leaves, and all of them afterwards; as of WORDS, one a rank. The sum of all.
  template <class Record, class F>
  const T* add(rank_group& group, index leaves, index size, std::span<Record> records, std::span<rank_word> words, F&& own);

 private:
  struct part_of_node {
    tree_node node;
    T* numbers;
  };
  /// The sum of NODE: one of RECEIVED, which are in order, from NEXT on, or the sum of what is below.
  T* sum(tree_node node, index leaves, index size, std::size_t& next);

  std::vector<index> parts_;  // where each rank's part of the numbers begins, and the end
  std::vector<part_of_node> nodes_;
  std::vector<T> received_, total_;
  std::vector<std::byte> told_;  // a rank after the other: word, records, part of the sum
  std::vector<std::size_t> begins_;
};

template <class T>
template <class Record, class F>
const T* spread_sum<T>::add(rank_group& group, index leaves, index size, std::span<Record> records, std::span<rank_word> words, F&& own) {
  const int ranks = group.size(), self = group.rank();
  parts_.clear();
  for (int r = 0; r <= ranks; ++r) parts_.push_back(size * r / ranks);
  const auto part_begin = [&](int r) { return parts_[static_cast<std::size_t>(r)]; };
  const auto part_size = [&](int r) { return part_begin(r + 1) - part_begin(r); };
  const auto bytes_of = [](index count) { return static_cast<std::size_t>(count) * sizeof(T); };

  nodes_.clear();
  std::vector<tree_node> nodes;
  std::vector<int> from;
  for (int r = 0; r < ranks; ++r) {
    whole_nodes(top_node(leaves), leaves, first_leaf(leaves, r, ranks), first_leaf(leaves, r + 1, ranks), nodes);
    from.resize(nodes.size(), r);
  }
  received_.resize(nodes.size() * static_cast<std::size_t>(part_size(self)));
  std::vector<rank_group::outgoing> out;
  std::vector<rank_group::incoming> in;
  T* room = received_.data();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (from[i] != self) {
      in.push_back({from[i], std::as_writable_bytes(std::span(room, static_cast<std::size_t>(part_size(self))))});
      nodes_.push_back({nodes[i], room});
      room += part_size(self);
      continue;
    }
    T* const block = own(nodes[i]);
    nodes_.push_back({nodes[i], block + part_begin(self)});
    for (int r = 0; r < ranks; ++r) {
      if (r != self) out.push_back({r, std::as_bytes(std::span(block + part_begin(r), static_cast<std::size_t>(part_size(r))))});
    }
  }
  group.exchange(out, in);
  std::size_t next = 0;
  const T* const own_part = sum(top_node(leaves), leaves, part_size(self), next);

  begins_.assign(1, 0);
  const auto records_of = [&](int r) {
    const auto first = static_cast<std::size_t>(first_leaf(leaves, r, ranks));
    return std::as_writable_bytes(records.subspan(first, static_cast<std::size_t>(first_leaf(leaves, r + 1, ranks)) - first));
  };
  for (int r = 0; r < ranks; ++r) {
    begins_.push_back(begins_.back() + sizeof(rank_word) + records_of(r).size() + bytes_of(part_size(r)));
  }
  told_.resize(begins_.back());
  total_.resize(static_cast<std::size_t>(size));
  const auto place = [&](int r) { return told_.data() + begins_[static_cast<std::size_t>(r)]; };
  const auto copy = [](std::span<const std::byte> bytes, std::byte* to) { return std::copy(bytes.begin(), bytes.end(), to); };
  std::byte* to = copy(std::as_bytes(words.subspan(static_cast<std::size_t>(self), 1)), place(self));
  copy(std::as_bytes(std::span(own_part, static_cast<std::size_t>(part_size(self)))), copy(records_of(self), to));
  group.all_gather(told_, begins_);
  const auto take = [](const std::byte*& bytes, std::span<std::byte> into) {
    std::copy_n(bytes, into.size(), into.begin());
    bytes += into.size();
  };
  for (int r = 0; r < ranks; ++r) {
    const std::byte* bytes = place(r);
    take(bytes, std::as_writable_bytes(words.subspan(static_cast<std::size_t>(r), 1)));
    take(bytes, records_of(r));
    take(bytes, std::as_writable_bytes(std::span(total_.data() + part_begin(r), static_cast<std::size_t>(part_size(r)))));
  }
  return total_.data();
}

template <class T>
T* spread_sum<T>::sum(tree_node node, index leaves, index size, std::size_t& next) {
  const tree_node& there = nodes_[next].node;
  if (there.level == node.level && there.at == node.at) return nodes_[next++].numbers;
  T* const left = sum({node.level - 1, 2 * node.at}, leaves, size, next);
  const tree_node after{node.level - 1, 2 * node.at + 1};
  if (after.first() >= leaves) return left;
  const T* const right = sum(after, leaves, size, next);
#pragma omp simd
  for (index i = 0; i < size; ++i) left[i] += right[i];
  return left;
}

}  // namespace graft::detail
