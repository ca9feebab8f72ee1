#include "graft/data/sampler.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <numeric>
#include <utility>
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
  CHECK(first != graft::permutation(1000, graft::random_stream(7, 0, graft::subset_stream)));
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

TEST_CASE("grouped batches hold the rows of their window, by length, and are visited in random order") {
  constexpr std::size_t n = 1003, batch = 4, window = 50;
  std::vector<std::size_t> lengths(n);
  for (std::size_t i = 0; i < n; ++i) lengths[i] = 5 + graft::random_bits(3, 0, 0, i) % 30;
  const order shuffled = graft::epoch_order(n, 7, 2, true);
  const order grouped = graft::grouped_by_length(shuffled, lengths, batch, window, 7, 2);
  REQUIRE(grouped.size() == n);
  CHECK(order(grouped.end() - 3, grouped.end()) == order(shuffled.end() - 3, shuffled.end()));  // the short batch
  for (std::size_t first = 0; first + 3 < n; first += batch * window) {
    const std::size_t last = std::min(first + batch * window, n - 3);
    std::vector<order> batches;
    for (std::size_t i = first; i < last; i += batch) batches.emplace_back(&grouped[i], &grouped[i] + batch);
    // the batches of equal rows are told apart by where the shuffle had put their first row
    const auto place = [&](std::size_t row) { return std::find(shuffled.begin(), shuffled.end(), row) - shuffled.begin(); };
    const auto before = [&](std::size_t a, std::size_t b) { return std::pair(lengths[a], place(a)) < std::pair(lengths[b], place(b)); };
    std::vector<order> sorted_batches = batches;
    std::sort(sorted_batches.begin(), sorted_batches.end(), [&](const order& a, const order& b) { return before(a[0], b[0]); });
    CHECK(sorted_batches != batches);
    order rows;
    for (const order& b : sorted_batches) rows.insert(rows.end(), b.begin(), b.end());
    order expected(shuffled.begin() + static_cast<std::ptrdiff_t>(first), shuffled.begin() + static_cast<std::ptrdiff_t>(last));
    std::sort(expected.begin(), expected.end(), before);
    CHECK(rows == expected);
  }
  CHECK(grouped == graft::grouped_by_length(shuffled, lengths, batch, window, 7, 2));
  CHECK(grouped != graft::grouped_by_length(shuffled, lengths, batch, window, 8, 2));
  CHECK(grouped != graft::grouped_by_length(shuffled, lengths, batch, window, 7, 3));
}

TEST_CASE("each window has an order of its own, and rows that fill no batch stay as they are") {
  order file(80);
  std::iota(file.begin(), file.end(), std::size_t{0});
  const std::vector<std::size_t> equal(80, 9);
  const order grouped = graft::grouped_by_length(file, equal, 1, 40, 1, 0);  // batches of one row: what is left is the order of visits
  order second(grouped.begin() + 40, grouped.end());
  for (std::size_t& row : second) row -= 40;
  CHECK(order(grouped.begin(), grouped.begin() + 40) != second);
  CHECK(graft::grouped_by_length(file, equal, 81, 50, 1, 0) == file);
  CHECK(graft::grouped_by_length({}, {}, 8, 50, 1, 0).empty());
}
