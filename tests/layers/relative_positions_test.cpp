#include "graft/layers/relative_positions.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace {

/// The distances from 0 on at which row_of changes, up to 600.
std::string steps(const graft::relative_options& o, graft::index sign) {
  const graft::relative_positions<graft::f64> positions("p", o);
  std::string text = std::to_string(positions.row_of(0));
  for (graft::index d = 1; d <= 600; ++d) {
    const graft::index row = positions.row_of(sign * d), before = positions.row_of(sign * (d - 1));
    if (row != before) text += " " + std::to_string(d) + ":" + std::to_string(row);
  }
  return text;
}

}  // namespace

TEST_CASE("distances have the rows that transformers gives them") {  // its compute_position_bias, make_log_bucket_position
  graft::relative_options mpnet{.heads = 2, .hidden_size = 4, .buckets = 8};
  CHECK(steps(mpnet, 1) == "0 1:1 2:2 16:3");
  CHECK(steps(mpnet, -1) == "0 1:5 2:6 16:7");
  graft::relative_options deberta{.heads = 2, .hidden_size = 4, .disentangled = true, .buckets = 8, .farthest = 20};
  CHECK(steps(deberta, 1) == "8 1:9 2:10 3:11 4:12 5:13 7:14 12:15");
  CHECK(steps(deberta, -1) == "8 1:7 2:6 3:5 4:4 5:3 7:2 12:1 20:0");
  deberta.buckets = 0;
  deberta.farthest = 3;
  CHECK(steps(deberta, 1) == "3 1:4 2:5");
  CHECK(steps(deberta, -1) == "3 1:2 2:1 3:0");
}
