#include "graft/data/sampler.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <vector>

using order = std::vector<std::size_t>;

TEST_CASE("an epoch's order is a permutation that only seed, epoch and size decide") {
  const order first = graft::epoch_order(1000, 7, 0, true);
  order sorted = first;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == graft::epoch_order(1000, 7, 0, false));
  CHECK(sorted.front() == 0);
  CHECK(sorted.back() == 999);
  CHECK(first == graft::epoch_order(1000, 7, 0, true));
  CHECK(first != graft::epoch_order(1000, 7, 1, true));
  CHECK(first != graft::epoch_order(1000, 8, 0, true));
  CHECK(first != graft::permutation(1000, graft::random_stream(7, 0, graft::subset_place)));
  CHECK(graft::epoch_order(0, 7, 0, true).empty());
  CHECK(graft::epoch_order(1, 7, 0, true) == order{0});
}

TEST_CASE("all orders of four examples are equally likely") {
  std::map<order, int> counts;
  constexpr int epochs = 24000;
  for (int epoch = 0; epoch < epochs; ++epoch) ++counts[graft::epoch_order(4, 11, static_cast<std::uint64_t>(epoch), true)];
  CHECK(counts.size() == 24);
  double chi_squared = 0;  // 23 degrees of freedom: above 58.6 once in 15,000 seeds
  for (const auto& [unused, count] : counts) chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi_squared < 58.6);
}
