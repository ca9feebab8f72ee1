#include "graft/core/range.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

TEST_CASE("a range has its ends or not, never NaN, and is written as a person would") {
  const graft::range closed{1, 65'536}, above{0, 1, true}, below{0, 1, false, true};
  CHECK((closed.contains(1) && closed.contains(65'536) && !closed.contains(0) && !closed.contains(65'537)));
  CHECK((above.contains(1) && !above.contains(0) && above.contains(1e-300)));
  CHECK((below.contains(0) && !below.contains(1) && !below.contains(-0.1)));
  for (const double none : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    CHECK_FALSE(closed.contains(none));
    CHECK_FALSE(graft::ranges::rate.contains(none));
  }
  CHECK(closed.text() == "1 to 65536");
  CHECK(above.text() == "above 0 to 1");
  CHECK(below.text() == "0 to less than 1");
  CHECK(graft::ranges::count.text() == "1 to 1000000000");
  CHECK_NOTHROW(graft::check_range("size", 3, closed));
  CHECK_THROWS_WITH(graft::check_range("size", 4611686018427387904.0, closed), "size is 4611686018427387904, 1 to 65536 was expected");
  CHECK_THROWS_AS(graft::check_range("size", -1, closed), graft::config_error);
}
