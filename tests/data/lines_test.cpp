#include "graft/data/lines.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  graft::for_each_line(text, "f", [&](std::uint64_t number, std::string_view line) {
    lines.emplace_back(line);
    CHECK(number == lines.size());
  });
  return lines;
}

}  // namespace

TEST_CASE("line ends, a byte order mark and a missing last newline do not reach the reader") {
  using list = std::vector<std::string>;
  CHECK(lines_of("a\nb\n") == list{"a", "b"});
  CHECK(lines_of("a\nb") == list{"a", "b"});
  CHECK(lines_of("\xEF\xBB\xBF"
                 "a\r\nb\r\n") == list{"a", "b"});
  CHECK(lines_of("a\r\nb\r") == list{"a", "b"});
  CHECK(lines_of("a\n\nb\n\n") == list{"a", "", "b", ""});
  CHECK(lines_of("a\rb\n\xEF\xBB\xBF"
                 "c") == list{"a\rb",
                              "\xEF\xBB\xBF"
                              "c"});
}

TEST_CASE("an empty file is an error, with and without a byte order mark") {
  CHECK_THROWS_WITH(lines_of(""), "f: is empty, at least one row was expected");
  CHECK_THROWS_WITH(lines_of("\xEF\xBB\xBF"), Catch::Contains("is empty"));
}

TEST_CASE("invalid UTF-8 is refused with line and byte") {
  CHECK(lines_of("gr\xC3\xBC\xC3\x9F\xE2\x82\xAC\xF0\x9F\x99\x82").size() == 1);
  CHECK_THROWS_WITH(lines_of("ab\nc\xC3\xBC\xE9 d\n"), Catch::Contains("f:2: invalid UTF-8 at byte 4 of the line"));
  const std::string bad[] = {"\x80",
                             "\xC3",
                             "\xC0\xAF",
                             "\xED\xA0\x80",
                             "\xF4\x90\x80\x80",
                             "\xFF\xFE"
                             "a",
                             "\xE2\x82"};
  for (const std::string& text : bad) {
    INFO(text.size());
    CHECK_THROWS_WITH(lines_of(text), Catch::Contains("f:1: invalid UTF-8 at byte 1 of the line"));
  }
}
