#include "graft/data/tsv.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

TEST_CASE("rows are cut at tabs and nowhere else") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "f", "a\t\"b\r\n\tx\none, two\t\"\"c\"\td\"\nlast\n\t \n");
  graft::tsv_reader reader{graft::line_reader(folder / "f")};
  std::vector<std::vector<std::string>> rows;
  graft::tsv_row row;
  for (int i = 0; i < 4; ++i) {
    REQUIRE(reader.next(row));
    rows.emplace_back(row.fields.begin(), row.fields.end());
    CHECK(row.line == rows.size());
  }
  const std::vector<std::vector<std::string>> wanted{{"a", "\"b"}, {"", "x"}, {"one, two", "\"\"c\"", "d\""}, {"last"}};
  CHECK(rows == wanted);
  CHECK_THROWS_WITH(reader.next(row), Catch::Contains("f:5: holds nothing but tabs"));
}

TEST_CASE("every carriage return at a row's end is left out, and a byte-order mark in front of a text is refused") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "f",
                    "a\tb\r\r\nc\r\r\nd\t\xEF\xBB\xBF"
                    "e\n");
  graft::tsv_reader reader{graft::line_reader(folder / "f")};
  graft::tsv_row row;
  REQUIRE(reader.next(row));
  CHECK(row.fields.back() == "b");
  REQUIRE(reader.next(row));
  CHECK(row.fields.back() == "c");
  CHECK_THROWS_WITH(reader.next(row),
                    Catch::EndsWith("f:3: has a text that begins with a byte-order mark (U+FEFF), which is invisible: take it out"));
}
