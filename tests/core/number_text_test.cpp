#include "graft/core/number_text.hpp"

#include <catch2/catch.hpp>
#include <clocale>
#include <limits>
#include <locale>
#include <string>

namespace {

/// Numbers with a decimal comma and points between the thousands.
struct commas : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

/// The whole program under such a locale, C's part of it only where the machine has one.
struct with_commas {
  with_commas()
      : before(std::locale::global(std::locale(std::locale::classic(), new commas))), c_before(std::setlocale(LC_NUMERIC, nullptr)) {
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"}) std::setlocale(LC_NUMERIC, name);
  }
  ~with_commas() {
    std::locale::global(before);
    std::setlocale(LC_NUMERIC, c_before.c_str());
  }
  std::locale before;
  std::string c_before;
};

}  // namespace

TEST_CASE("numbers are the same text under every locale") {
  const with_commas there;
  CHECK(graft::number_text(1234567.5) == "1234567.5");
  CHECK(graft::number_text(0.1) == "0.1");
  CHECK(graft::number_text(1e-300) == "1e-300");
  CHECK(graft::fixed_text(1234567.5, 2) == "1234567.50");
  CHECK(graft::fixed_text(0.125, 2) == "0.12");
  CHECK(graft::fixed_text(-0.0001, 1) == "0.0");
  CHECK(graft::fixed_text(-1.5, 1) == "-1.5");
  CHECK(graft::fixed_text(1e22, 0) == "10000000000000000000000");
  CHECK(graft::fixed_text(-std::numeric_limits<double>::max(), 50).size() == 1 + 309 + 1 + 50);
  CHECK(graft::scientific_text(0.001, 2) == "1.00e-03");
  CHECK(graft::scientific_text(1.5e10, 1) == "1.5e+10");
  CHECK(graft::fixed_text(std::numeric_limits<double>::quiet_NaN(), 3) == "nan");
  CHECK(graft::fixed_text(std::numeric_limits<double>::infinity(), 3) == "inf");
}
