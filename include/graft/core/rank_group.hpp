#pragma once
// Processes that compute one thing together: what they have to be able to say to each other.

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "graft/core/index.hpp"

namespace graft {

/// Processes, *ranks*, that compute one thing together, each in memory of its own: a model's gradients, an evaluation. The library asks for
/// three exchanges and no more, so that MPI can be behind it, or whatever else a program talks to its like by. All ranks call the same ones
/// in the same order, from one thread at a time, which need not be the one that was before. Where no group is given, a process computes
/// alone. Errors: what cannot be sent or received is thrown, as backend_error; who throws anything must see to it that the others end, too.
/// Tested: tests/training/ranks_test.cpp, between threads
class rank_group {
 public:
  virtual ~rank_group() = default;

  /// The number of this process, 0 .. size() - 1.
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Bytes that go to another rank, and that come from one.
  struct outgoing {
    int rank;  // to which it goes, another one
    std::span<const std::byte> bytes;
  };
  struct incoming {
    int rank;  // from which it comes
    std::span<std::byte> bytes;
  };
  /// Sends and receives at once. What one rank sends to another arrives in the order in which it stands here, in pieces of the same sizes.
  virtual void exchange(std::span<const outgoing> out, std::span<const incoming> in) = 0;
  /// Of ALL, each rank r has the bytes BEGINS[r] .. BEGINS[r + 1] - 1, and afterwards every rank all of them; BEGINS has size() + 1
  /// numbers.
  virtual void all_gather(std::span<std::byte> all, std::span<const std::size_t> begins) = 0;
  /// BYTES become those of rank 0.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// What is larger may go in parts, of so many bytes or more, while the rest is computed: as few as latency costs little. The same on all
  /// ranks.
  virtual index least_bytes_at_once() const { return std::max<index>(index{1} << 20, size() * (index{1} << 14)); }
};

/// What each rank says, in the order of ranks.
std::vector<std::string> gather_texts(rank_group& group, const std::string& local_text);

/// What rank 0 says; LOCAL_TEXT is nobody else's concern.
std::string text_of_first_rank(rank_group& group, const std::string& local_text);

/// What the rank at hand does of N things that are dealt out one by one: those whose number leaves the rank's when divided by the group's
/// size. All of them where there is no group.
struct dealt_share {
  explicit dealt_share(const rank_group* group)
      : first(group == nullptr ? 0 : static_cast<std::size_t>(group->rank())),
        apart(group == nullptr ? 1 : static_cast<std::size_t>(group->size())) {}
  std::size_t count(std::size_t n) const { return n > first ? (n - first + apart - 1) / apart : 0; }
  std::size_t number(std::size_t i) const { return first + i * apart; }
  /// The rank's first number, and how far its numbers are apart.
  std::size_t first, apart;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/rank_group-inl.hpp"  // IWYU pragma: export
#endif
