#pragma once
// Ranks that are threads of one process.

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <exception>
#include <map>
#include <span>
#include <thread>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/rank_group.hpp"

namespace graft_test {

/// Where the ranks of a group put what is meant for others.
struct shared_buffers {
  explicit shared_buffers(int ranks) : size(ranks), all(ranks), out(static_cast<std::size_t>(ranks)) {}
  int size;
  std::barrier<> all;
  std::vector<std::span<const graft::rank_group::outgoing>> out;
  std::span<const std::byte> bytes;  // of rank 0
  std::vector<std::span<const std::byte>> gathered{static_cast<std::size_t>(size)};
};

class thread_rank : public graft::rank_group {
 public:
  thread_rank(shared_buffers& buffers, int rank) : buffers_(buffers), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return buffers_.size; }
  void exchange(std::span<const outgoing> out, std::span<const incoming> in) override {
    buffers_.out[static_cast<std::size_t>(rank_)] = out;
    buffers_.all.arrive_and_wait();
    std::map<int, std::size_t> next;
    for (const incoming& one : in) {
      const auto& from = buffers_.out[static_cast<std::size_t>(one.rank)];
      std::size_t& at = next[one.rank];
      while (from[at].rank != rank_) ++at;
      if (from[at].bytes.size() != one.bytes.size()) throw graft::backend_error("a piece of another size came");
      std::copy(from[at].bytes.begin(), from[at].bytes.end(), one.bytes.begin());
      ++at;
    }
    buffers_.all.arrive_and_wait();
  }
  void all_gather(std::span<std::byte> all, std::span<const std::size_t> begins) override {
    buffers_.gathered[static_cast<std::size_t>(rank_)] = all;
    buffers_.all.arrive_and_wait();
    for (std::size_t r = 0; r < buffers_.gathered.size(); ++r) {
      const auto from = buffers_.gathered[r].subspan(begins[r], begins[r + 1] - begins[r]);
      if (static_cast<int>(r) != rank_) std::copy(from.begin(), from.end(), all.begin() + static_cast<std::ptrdiff_t>(begins[r]));
    }
    buffers_.all.arrive_and_wait();
  }
  graft::index least_bytes_at_once() const override { return 1; }  // a layer after the other
  void broadcast(std::span<std::byte> bytes) override {
    if (rank_ == 0) buffers_.bytes = bytes;
    buffers_.all.arrive_and_wait();
    if (rank_ != 0) std::copy(buffers_.bytes.begin(), buffers_.bytes.end(), bytes.begin());
    buffers_.all.arrive_and_wait();
  }

 private:
  shared_buffers& buffers_;
  int rank_;
};

/// Calls f(rank_group&) on each of RANKS threads. Whoever throws must do so everywhere.
template <class F>
void on_ranks(int ranks, F&& f) {
  shared_buffers buffers(ranks);
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(ranks));
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&, r] {
      try {
        thread_rank group(buffers, r);
        f(group);
      } catch (...) {
        failures[static_cast<std::size_t>(r)] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace graft_test
