#include "plot/axis.hpp"

#include <catch2/catch.hpp>

using labels = std::vector<std::string>;

TEST_CASE("a value axis ends at round ticks around the data") {
  const auto a = graft::program::value_axis({0.03, 0.78}, 5);
  CHECK(a.low == Approx(0).margin(1e-12));
  CHECK(a.high == Approx(0.8));
  CHECK(a.labels == labels{"0.0", "0.2", "0.4", "0.6", "0.8"});
  CHECK(a.unit.empty());
  CHECK(graft::program::value_axis({-12, 31}, 4).labels == labels{"-20", "0", "20", "40"});
  CHECK(graft::program::value_axis({0.3331, 0.3342}, 4).labels == labels{"0.3330", "0.3335", "0.3340", "0.3345"});
}

TEST_CASE("very small and very large values share a power of ten") {
  const auto small = graft::program::value_axis({0, 1e-5}, 5);
  CHECK(small.labels == labels{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(small.unit == " (×10⁻⁵)");
  CHECK(graft::program::value_axis({0, 3e12}, 3).unit == " (×10¹²)");
}

TEST_CASE("a step axis has whole ticks and short labels") {
  CHECK(graft::program::step_axis({1, 2340}, 5).labels == labels{"0", "500", "1000", "1500", "2000"});
  CHECK(graft::program::step_axis({0, 12000}, 3).labels == labels{"0", "5k", "10k"});
  CHECK(graft::program::step_axis({0, 10000}, 8).labels == labels{"0", "2k", "4k", "6k", "8k", "10k"});
  CHECK(graft::program::step_axis({0, 12500}, 25).labels[1] == "0.5k");
  CHECK(graft::program::step_axis({0, 2500000}, 5).labels == labels{"0", "0.5M", "1M", "1.5M", "2M", "2.5M"});
  CHECK(graft::program::step_axis({0, 2}, 10).labels == labels{"0", "1", "2"});
  CHECK(graft::program::step_axis({5000, 6000}, 5).low == 5000);
}

TEST_CASE("a single value, a constant and nothing at all still make an axis") {
  for (const graft::program::extent& data :
       {graft::program::extent{}, graft::program::extent{0, 0}, graft::program::extent{-3, -3}, graft::program::extent{0.1, 0.1 + 1e-17},
        graft::program::extent{1e299, 1e299}, graft::program::extent{1e-299, 1e-299}, graft::program::extent{-1e299, 1e299}}) {
    for (const auto& a : {graft::program::value_axis(data, 4), graft::program::step_axis(data, 4)}) {
      CHECK(a.low < a.high);
      CHECK(a.labels.size() == a.ticks.size());
      CHECK(a.ticks.size() < 20);
    }
    if (!data.empty()) {
      const auto a = graft::program::value_axis(data, 4);
      CHECK(a.low <= data.low);
      CHECK(a.high >= data.high);
    }
  }
}

TEST_CASE("pixels run from one end of the axis to the other") {
  const graft::program::axis a{0, 10, {}, {}, ""};
  CHECK(a.pixel(0, 300, 100) == 300);
  CHECK(a.pixel(2.5, 300, 100) == 250);
  CHECK(a.pixel(10, 300, 100) == 100);
}
