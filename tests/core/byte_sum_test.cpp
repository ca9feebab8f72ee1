#include "graft/core/byte_sum.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <vector>

TEST_CASE("a byte sum changes with every bit, length and order, at every size") {
  std::mt19937_64 draw(1);
  for (const std::size_t size : {0U, 1U, 7U, 8U, 255U, 256U, 257U, 520U, 1000U}) {
    INFO(size << " bytes");
    std::vector<std::byte> bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(draw());
    std::set<std::uint64_t> sums{graft::byte_sum(bytes)};
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      auto other = bytes;
      other[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
      sums.insert(graft::byte_sum(other));
    }
    auto longer = bytes;
    longer.push_back({});
    sums.insert(graft::byte_sum(longer));
    CHECK(sums.size() == 8 * size + 2);
  }
}

TEST_CASE("changes of a byte sum do not cancel: signs in one lane, words that change places, zeros") {
  std::vector<std::uint64_t> words(100);  // three of most lanes
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = i;
  const auto sum = [](const std::vector<std::uint64_t>& w) { return graft::byte_sum(std::as_bytes(std::span(w))); };
  std::set<std::uint64_t> sums{sum(words)};
  std::size_t tried = 1;
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::size_t k = i + 1; k < words.size(); ++k) {
      auto swapped = words, negative = words;
      std::swap(swapped[i], swapped[k]);
      for (const std::size_t at : {i, k}) negative[at] ^= std::uint64_t{1} << 63;
      sums.insert(sum(swapped));
      sums.insert(sum(negative));
      tried += 2;
    }
  }
  for (std::size_t count = 0; count < 100; ++count) sums.insert(sum(std::vector<std::uint64_t>(count))), ++tried;
  CHECK(sums.size() == tried);
}

TEST_CASE("a byte sum changes when pages change places, or one is of zeros") {
  constexpr std::size_t page = 4096, pages = 70;
  std::vector<std::byte> bytes(page * pages);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i / page + 1);
  std::set<std::uint64_t> sums{graft::byte_sum(bytes)};
  for (std::size_t i = 1; i < pages; ++i) {
    auto other = bytes;
    std::swap_ranges(other.begin(), other.begin() + page, other.begin() + i * page);
    sums.insert(graft::byte_sum(other));
    other = bytes;
    std::fill_n(other.begin() + i * page, page, std::byte{});
    sums.insert(graft::byte_sum(other));
  }
  CHECK(sums.size() == 2 * pages - 1);
}

TEST_CASE("a byte sum is the same in every build: files hold it") {
  std::vector<std::byte> bytes(200);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  CHECK(graft::byte_sum({}) == 0xe4a030b48273c912);
  CHECK(graft::byte_sum(bytes) == 0x0f3080f71d82e516);
}
