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
struct meeting_place {
  explicit meeting_place(int ranks) : size(ranks), all(ranks), out(static_cast<std::size_t>(ranks)) {}
  int size;
  std::barrier<> all;
  std::vector<std::span<const graft::rank_group::outgoing>> out;
  std::span<const std::byte> bytes;  // of rank 0
  std::vector<std::span<const std::byte>> own{static_cast<std::size_t>(size)};
};

class thread_rank : public graft::rank_group {
 public:
  thread_rank(meeting_place& place, int rank) : place_(place), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return place_.size; }
  void exchange(std::span<const outgoing> out, std::span<const incoming> in) override {
    place_.out[static_cast<std::size_t>(rank_)] = out;
    place_.all.arrive_and_wait();
    std::map<int, std::size_t> next;
    for (const incoming& one : in) {
      const auto& from = place_.out[static_cast<std::size_t>(one.rank)];
      std::size_t& at = next[one.rank];
      while (from[at].rank != rank_) ++at;
      if (from[at].bytes.size() != one.bytes.size()) throw graft::backend_error("a piece of another size came");
      std::copy(from[at].bytes.begin(), from[at].bytes.end(), one.bytes.begin());
      ++at;
    }
    place_.all.arrive_and_wait();
  }
  void all_gather(std::span<std::byte> all, std::span<const std::size_t> begins) override {
    place_.own[static_cast<std::size_t>(rank_)] = all;
    place_.all.arrive_and_wait();
    for (std::size_t r = 0; r < place_.own.size(); ++r) {
      const auto from = place_.own[r].subspan(begins[r], begins[r + 1] - begins[r]);
      if (static_cast<int>(r) != rank_) std::copy(from.begin(), from.end(), all.begin() + static_cast<std::ptrdiff_t>(begins[r]));
    }
    place_.all.arrive_and_wait();
  }
  graft::index least_bytes_at_once() const override { return 1; }  // a layer after the other
  void broadcast(std::span<std::byte> bytes) override {
    if (rank_ == 0) place_.bytes = bytes;
    place_.all.arrive_and_wait();
    if (rank_ != 0) std::copy(place_.bytes.begin(), place_.bytes.end(), bytes.begin());
    place_.all.arrive_and_wait();
  }

 private:
  meeting_place& place_;
  int rank_;
};

/// Calls f(rank_group&) on each of RANKS threads. Whoever throws must do so everywhere.
template <class F>
void on_ranks(int ranks, F&& f) {
  meeting_place place(ranks);
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(ranks));
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&, r] {
      try {
        thread_rank own(place, r);
        f(own);
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
