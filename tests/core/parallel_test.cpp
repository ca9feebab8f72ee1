#include "graft/core/parallel.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

TEST_CASE("every item is visited once, in pieces that do not depend on the threads") {
  for (const graft::index n : {0, 1, 15, 16, 17, 100}) {
    for (const int threads : {1, 2, 3}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
      std::atomic<int> odd_pieces{0};
      std::atomic<int> pieces{0};
      graft::parallel_for(n, 16, threads, [&](graft::index begin, graft::index end) {
        ++pieces;
        odd_pieces += begin % 16 != 0 || end != std::min(n, begin + 16);
        for (graft::index i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      CHECK(odd_pieces == 0);
      CHECK(pieces == (n + 15) / 16);
      for (const auto& v : visits) CHECK(v == 1);
    }
  }
}
