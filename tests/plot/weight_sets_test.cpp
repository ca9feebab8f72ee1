#include "plot/weight_sets.hpp"

#include <catch2/catch.hpp>
#include <limits>

namespace {

/// A log of two steps whose sites have the weight sets named by LETTERS: "AABB" is two layers, each with a set of its own.
graft::program::run_log log_of(const std::string& letters) {
  graft::program::run_log log;
  log.adapters = {"rte", "base"};
  log.weight_steps = {0, 1};
  for (std::size_t site = 0; site < letters.size(); ++site) {
    const double weight = letters[site] / 128.0;
    log.site_weights[static_cast<int>(site)] = {{{0, 1}, {0.5, weight}}, {{0, 1}, {0.5, 1 - weight}}};
  }
  return log;
}

std::vector<std::string> names_of(const std::string& letters) {
  std::vector<std::string> names;
  for (const auto& set : graft::program::weight_sets(log_of(letters))) names.push_back(set.name);
  return names;
}

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("sites with the same weights at all steps are one set, named by layers and sites") {
  CHECK(names_of("AAAAAA") == names{"layers 0-2 (all sites)"});
  CHECK(names_of("AA") == names{"layer 0 (all sites)"});
  CHECK(names_of("AABBCC") ==
        names{"layer 0, attention + feed-forward", "layer 1, attention + feed-forward", "layer 2, attention + feed-forward"});
  CHECK(names_of("AAAABBBBAA") == names{"layers 0-1, 4, attention + feed-forward", "layers 2-3, attention + feed-forward"});
  CHECK(names_of("ABABAB") == names{"layers 0-2, attention", "layers 0-2, feed-forward"});
  CHECK(names_of("ABBB") == names{"layer 0, attention", "layer 1, attention + feed-forward; layer 0, feed-forward"});
}

TEST_CASE("sites that differ at a single step are two sets, gaps in the same places do not tell them apart") {
  auto log = log_of("AAAA");
  for (auto& [site, lines] : log.site_weights) lines[0].y[0] = std::numeric_limits<double>::quiet_NaN();
  CHECK(graft::program::weight_sets(log).size() == 1);
  log.site_weights[3][1].y[0] += 1e-9;
  const auto sets = graft::program::weight_sets(log);
  REQUIRE(sets.size() == 2);
  CHECK(sets[0].sites == std::vector<int>{0, 1, 2});
  CHECK(sets[1].sites == std::vector<int>{3});
}
