#pragma once
// The sum over a batch's micro-batches where these are spread over several processes: the tree of one process, to the bit.

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/gradients.hpp"
#include "graft/core/index.hpp"
#include "graft/core/profile.hpp"
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

/// Whether a rank wishes to stop.
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

/// Of WORDS, one a rank, this one has its own, and of RECORDS, one a leaf, or none, those of its leaves; afterwards all.
/// @throws as the group
template <class Record>
void gather_words(rank_group& group, std::span<rank_word> words, std::span<Record> records) {
  const int ranks = group.size();
  std::vector<std::size_t> begins{0};  // a rank after the other: word, records
  const auto with_parts = [&](int r, auto&& f) {
    const index leaves = std::ssize(records), first = first_leaf(leaves, r, ranks), last = first_leaf(leaves, r + 1, ranks);
    f(std::as_writable_bytes(words.subspan(static_cast<std::size_t>(r), 1)));
    f(std::as_writable_bytes(records.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first))));
  };
  for (int r = 0; r < ranks; ++r) {
    begins.push_back(begins.back());
    with_parts(r, [&](std::span<std::byte> part) { begins.back() += part.size(); });
  }
  std::vector<std::byte> told(begins.back());
  std::byte* at = told.data() + begins[static_cast<std::size_t>(group.rank())];
  with_parts(group.rank(), [&](std::span<std::byte> part) { at = std::copy(part.begin(), part.end(), at); });
  group.all_gather(told, begins);
  at = told.data();
  for (int r = 0; r < ranks; ++r) {
    with_parts(r, [&](std::span<std::byte> part) {
      std::copy_n(at, part.size(), part.begin());
      at += part.size();
    });
  }
}

/// The sum of a tree whose leaves are spread over a group, each rank's one after the other, a segment of their numbers at a time. Every
/// rank has the sums of the largest nodes that are all its own, and sends of each to rank r the r-th part of the segment; rank r adds those
/// of all ranks, as the tree says, and sends its part of the total to all. So 2 (n - 1) / n of a block goes out of every rank and comes
/// into it, where its leaves are one node. No addition is another one, and none has other operands, than in one process: n ranks give the
/// bits of one. A thread of its own does so with each segment when the rank's leaves are done with it, while others are computed.
/// Tested: tests/training/ranks_test.cpp
template <class T>
class spread_sum {
 public:
  /// COMPUTE(segment_done): computes this rank's leaves, and calls segment_done(s) from any thread, for each leaf and each of SEGMENTS,
  /// when it is. BLOCK_OF(node): the block with the sum of one of this rank's nodes, which may be changed. FIRST() is called before the
  /// first segment leaves, when that is done. The sum of all. The wait behind COMPUTE is added to TIMES.
  /// @throws what these throw, and the group
  template <class BlockOf, class First, class Compute>
  const T* add(rank_group& group, index leaves, std::span<const gradient_segment> segments, BlockOf&& block_of, First&& first,
               Compute&& compute, profile* times = nullptr);

 private:
  struct part_of_node {
    tree_node node;
    int rank;
    T* numbers;
  };
  /// False: nobody waits any more.
  bool wait_for(std::size_t segment, const std::stop_token& given_up);
  template <class BlockOf>
  void add_segment(rank_group& group, index leaves, gradient_segment segment, BlockOf&& block_of);
  /// The sum of NODE: one of NODES_, which are in order, from NEXT on, or the sum of what is below.
  T* sum(tree_node node, index leaves, index size, std::size_t& next);

  std::mutex mutex_;
  std::condition_variable_any one_done_;
  std::vector<index> open_;  // of every segment, how many of this rank's leaves are not done with it
  std::vector<part_of_node> nodes_;
  std::vector<T> received_, total_;
};

template <class T>
template <class BlockOf, class First, class Compute>
const T* spread_sum<T>::add(rank_group& group, index leaves, std::span<const gradient_segment> segments, BlockOf&& block_of, First&& first,
                            Compute&& compute, profile* times) {
  const int ranks = group.size();
  nodes_.clear();
  for (int r = 0; r < ranks; ++r) {
    std::vector<tree_node> found;
    whole_nodes(top_node(leaves), leaves, first_leaf(leaves, r, ranks), first_leaf(leaves, r + 1, ranks), found);
    for (const tree_node& node : found) nodes_.push_back({node, r, nullptr});
  }
  total_.resize(static_cast<std::size_t>(segments.front().end));
  open_.assign(segments.size(), first_leaf(leaves, group.rank() + 1, ranks) - first_leaf(leaves, group.rank(), ranks));
  std::exception_ptr failure;
  std::jthread sends([&](const std::stop_token& given_up) {
    try {
      for (std::size_t s = 0; s < segments.size() && wait_for(s, given_up); ++s) {
        if (s == 0) first();
        add_segment(group, leaves, segments[s], block_of);
      }
    } catch (...) {
      failure = std::current_exception();
    }
  });
  compute([&](std::size_t s) {
    const std::scoped_lock lock(mutex_);
    if (--open_[s] == 0) one_done_.notify_one();
  });
  {
    const timed time(times, operation::wait);
    sends.join();
  }
  if (failure) std::rethrow_exception(failure);
  return total_.data();
}

template <class T>
bool spread_sum<T>::wait_for(std::size_t segment, const std::stop_token& given_up) {
  std::unique_lock lock(mutex_);
  return one_done_.wait(lock, given_up, [&] { return open_[segment] == 0; });
}

template <class T>
template <class BlockOf>
void spread_sum<T>::add_segment(rank_group& group, index leaves, gradient_segment segment, BlockOf&& block_of) {
  const int ranks = group.size(), self = group.rank();
  const auto part_begin = [&](int r) { return segment.begin + (segment.end - segment.begin) * r / ranks; };
  const auto part_size = [&](int r) { return static_cast<std::size_t>(part_begin(r + 1) - part_begin(r)); };
  received_.resize(nodes_.size() * part_size(self));
  std::vector<rank_group::outgoing> out;
  std::vector<rank_group::incoming> in;
  T* next_part = received_.data();
  for (part_of_node& n : nodes_) {
    if (n.rank != self) {
      n.numbers = std::exchange(next_part, next_part + part_size(self));
      in.push_back({n.rank, std::as_writable_bytes(std::span(n.numbers, part_size(self)))});
      continue;
    }
    T* const block = block_of(n.node);
    n.numbers = block + part_begin(self);
    for (int r = 0; r < ranks; ++r) {
      if (r != self) out.push_back({r, std::as_bytes(std::span(block + part_begin(r), part_size(r)))});
    }
  }
  group.exchange(out, in);
  std::size_t next = 0;
  const T* const part_total = sum(top_node(leaves), leaves, static_cast<index>(part_size(self)), next);
  std::copy_n(part_total, part_size(self), total_.data() + part_begin(self));
  std::vector<std::size_t> begins;
  for (int r = 0; r <= ranks; ++r) begins.push_back(static_cast<std::size_t>(part_begin(r) - segment.begin) * sizeof(T));
  group.all_gather(std::as_writable_bytes(std::span(total_.data() + segment.begin, total_.data() + segment.end)), begins);
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
