#include "graft/core/byte_sum.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <vector>

TEST_CASE("a byte sum changes with every bit, length and order, at every size") {
  std::mt19937_64 draw(1);
  for (const std::size_t size : {0U, 1U, 7U, 8U, 63U, 64U, 65U, 130U, 1000U}) {
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
  std::vector<std::uint64_t> words(40);
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
  for (std::size_t count = 0; count < 30; ++count) sums.insert(sum(std::vector<std::uint64_t>(count))), ++tried;
  CHECK(sums.size() == tried);
}

TEST_CASE("a byte sum is the same in every build: files hold it") {
  std::vector<std::byte> bytes(200);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  CHECK(graft::byte_sum({}) == 0x4d7457117c2c0193);
  CHECK(graft::byte_sum(bytes) == 0xd9281de7805cf1f1);
}
