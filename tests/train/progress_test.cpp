#include "graft/train/progress.hpp"

#include <catch2/catch.hpp>
#include <limits>

using graft::format_duration;
using graft::format_progress;

TEST_CASE("durations read as a clock does") {
  CHECK(format_duration(-1) == "0 s");
  CHECK(format_duration(59.4) == "59 s");
  CHECK(format_duration(59.6) == "1:00");
  CHECK(format_duration(725) == "12:05");
  CHECK(format_duration(11220) == "3:07:00");
}

TEST_CASE("a progress line shows what fits, the most important last to go") {
  const graft::progress_state state{120, 480, 0.61234, 9.3e-6, 12.44, 151.0};
  CHECK(format_progress(state, 120, false) == "120/480  loss 0.6123  lr 9.30e-06  12.4 ex/s  2:31 left");
  CHECK(format_progress(state, 120, true) == "[=======                       ]  120/480  loss 0.6123  lr 9.30e-06  12.4 ex/s  2:31 left");
  CHECK(format_progress(state, 70, true) == "[==         ]  120/480  loss 0.6123  lr 9.30e-06  12.4 ex/s  2:31 left");
  CHECK(format_progress(state, 54, false) == "120/480  loss 0.6123  12.4 ex/s  2:31 left");
  CHECK(format_progress(state, 32, true) == "120/480  loss 0.6123  2:31 left");
  CHECK(format_progress(state, 30, true) == "120/480  loss 0.6123");
  CHECK(format_progress(state, 8, true) == "120/480");
  CHECK(format_progress(state, 3, true) == "120");
  for (std::size_t width = 0; width < 140; ++width) CHECK(format_progress(state, width, true).size() <= width);
}

TEST_CASE("a progress line copes with a loss that is no number, and with nothing to do") {
  CHECK_THAT(format_progress({5, 1000, std::numeric_limits<double>::quiet_NaN(), 0, {}, {}}, 80, false),
             Catch::Contains("   5/1000  loss nan"));
  CHECK_THAT(format_progress({0, 0, 0, 0, {}, {}}, 80, true), Catch::Contains("=]  0/0"));
}
