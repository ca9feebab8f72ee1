#include "graft/data/tsv.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

TEST_CASE("rows are cut at tabs and nowhere else") {
  std::vector<std::vector<std::string>> rows;
  graft::for_each_tsv_row("a\t\"b\r\n\t\n\none, two\t\"\"c\"\td\"", "f", [&](const graft::tsv_row& row) {
    rows.emplace_back(row.fields.begin(), row.fields.end());
    CHECK(row.line == rows.size());
  });
  const std::vector<std::vector<std::string>> wanted{{"a", "\"b"}, {"", ""}, {""}, {"one, two", "\"\"c\"", "d\""}};
  CHECK(rows == wanted);
}
