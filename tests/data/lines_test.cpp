#include "graft/data/lines.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

namespace {

/// Bytes of TEXT, at most PIECE at a time.
graft::byte_source from(std::string text, std::size_t piece = 1 << 20) {
  return [text = std::move(text), piece, at = std::size_t{0}](char* into, std::size_t count) mutable {
    count = std::min({count, piece, text.size() - at});
    std::memcpy(into, text.data() + at, count);
    at += count;
    return count;
  };
}

template <class Reader>
std::vector<std::string> all(Reader reader) {
  std::vector<std::string> lines;
  for (std::string_view line; reader.next(line);) lines.emplace_back(line);
  return lines;
}

std::vector<std::string> lines_of(const std::string& text) {
  const auto whole = all(graft::line_reader(from(text), "f"));
  CHECK(all(graft::line_reader(from(text, 1), "f")) == whole);  // as a terminal or a slow pipe gives them
  return whole;
}
std::vector<std::string> rows_of(const std::string& text) { return all(graft::row_reader(graft::line_reader(from(text), "f"))); }

using list = std::vector<std::string>;
const std::string mark = "\xEF\xBB\xBF";

}  // namespace

TEST_CASE("line ends, a byte order mark and a missing last newline do not reach the reader") {
  CHECK(lines_of("a\nb\n") == list{"a", "b"});
  CHECK(lines_of("a\nb") == list{"a", "b"});
  CHECK(lines_of(mark + "a\r\nb\r\n") == list{"a", "b"});
  CHECK(lines_of("a\r\nb\r") == list{"a", "b"});
  CHECK(lines_of("a\n\nb\n\n") == list{"a", "", "b", ""});
  CHECK(lines_of("a\rb\n\xE2\x80\xA8") == list{"a\rb", "\xE2\x80\xA8"});
  CHECK(lines_of("c" + mark + "\n") == list{"c" + mark});
  CHECK(lines_of("").empty());
  CHECK(lines_of(mark).empty());
}

TEST_CASE("lines are numbered, and may be longer than what is read at once") {
  const std::string longer(300'000, 'x');
  graft::line_reader lines(from("a\n" + longer + "\nb", 70'000), "f");
  std::string_view line;
  REQUIRE((lines.next(line) && lines.next(line)));
  CHECK(line == longer);
  CHECK(lines.number() == 2);
  CHECK(lines.next(line));
  CHECK(lines.number() == 3);
  CHECK_FALSE(lines.next(line));
}

TEST_CASE("a line without end is refused before it fills the memory") {
  std::size_t given = 0;
  graft::line_reader endless(
      [&](char* into, std::size_t count) {
        std::memset(into, 'a', count);
        given += count;
        return count;
      },
      "f");
  std::string_view line;
  CHECK_THROWS_WITH(endless.next(line), Catch::StartsWith("f:1: is longer than 16 MiB"));
  CHECK(given < std::size_t{40} << 20);
}

TEST_CASE("behind a line that is refused, the next one can be read") {
  const std::string long_line((std::size_t{16} << 20) + 100'000, 'x');
  graft::line_reader lines(from("a\n" + long_line + "\nb\n\xE9\nc\n" + long_line, 70'000), "f");
  std::string_view line;
  const auto given = [&] { return lines.next(line) ? std::string(line) : "none"; };
  CHECK(given() == "a");
  CHECK_THROWS_WITH(given(), Catch::StartsWith("f:2: is longer than 16 MiB"));
  CHECK(given() == "b");
  CHECK(lines.number() == 3);
  CHECK_THROWS_WITH(given(), Catch::StartsWith("f:4: invalid UTF-8"));
  CHECK(given() == "c");
  CHECK_THROWS_WITH(given(), Catch::StartsWith("f:6: is longer than 16 MiB"));
  CHECK_FALSE(lines.failed());
  CHECK(given() == "none");

  graft::row_reader rows(graft::line_reader(from("a\n\n \nb\n\n"), "f"));
  CHECK(rows.next(line));
  CHECK_THROWS_WITH(rows.next(line), Catch::StartsWith("f:2: is blank, and rows follow"));
  CHECK_THROWS_WITH(rows.next(line), Catch::StartsWith("f:3: is blank, and rows follow"));
  CHECK(rows.next(line));
  CHECK(line == "b");
  CHECK_FALSE(rows.next(line));
}

TEST_CASE("a reader knows whether a line is there without waiting for one") {
  std::string come;
  graft::line_reader lines(
      [&](char* into, std::size_t count) {
        const std::size_t given = come.copy(into, count);
        come.erase(0, given);
        return given;
      },
      "f");
  lines.told_by([&] { return !come.empty(); });
  std::string_view line;
  CHECK_FALSE(lines.ready());
  come = "first\nsec";
  CHECK(lines.ready());
  CHECK(lines.next(line));
  CHECK_FALSE(lines.ready());  // half a line is none
  come = "ond\n\n \n";
  CHECK(lines.ready());
  CHECK(lines.next(line));
  CHECK(line == "second");
  CHECK_FALSE(lines.ready());  // neither are blank ones
  come = "third";
  CHECK_FALSE(lines.ready());
  while (lines.next(line)) {
  }
  CHECK(line == "third");
  CHECK(lines.ready());  // the end
}

TEST_CASE("a read that fails is not the end of the file") {
  graft::line_reader lines([](char*, std::size_t) -> std::size_t { throw graft::format_error("f", "cannot be read"); }, "f");
  std::string_view line;
  CHECK_THROWS_WITH(lines.next(line), "f: cannot be read");
  CHECK_THROWS_WITH(graft::line_reader("/"), "/: is a directory, a file was expected");
}

TEST_CASE("invalid UTF-8 is refused with line and byte, and called by its name") {
  CHECK(lines_of("gr\xC3\xBC\xC3\x9F\xE2\x82\xAC\xF0\x9F\x99\x82").size() == 1);
  CHECK_THROWS_WITH(lines_of("ab\nc\xC3\xBC\xE9 d\n"),
                    Catch::StartsWith("f:2: invalid UTF-8 at byte 4 of the line, 0xe9: Latin-1, Windows-1252 or another encoding?"));
  CHECK_THROWS_WITH(lines_of("\xED\xA0\xBD\xED\xB8\x80"), Catch::Contains("half of a surrogate pair (CESU-8?)"));
  CHECK_THROWS_WITH(lines_of("\xC0\x80"), Catch::Contains("an overlong form"));
  for (const std::string text : {"\x80", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    INFO(text.size());
    CHECK_THROWS_WITH(lines_of(text), Catch::Contains("f:1: invalid UTF-8 at byte 1 of the line"));
  }
}

TEST_CASE("files of another kind are called by their names") {
  using namespace std::string_literals;
  const auto told = [](const std::string& text, const std::string& name) {
    CHECK_THROWS_WITH(lines_of(text), Catch::StartsWith("f: is ") && Catch::Contains(name));
  };
  told("\xFF\xFEt\0e\0"s, "UTF-16 text (little-endian)");
  told("\xFE\xFF\0t\0e"s, "UTF-16 text (big-endian)");
  told("\xFF\xFE\0\0t\0\0\0"s, "UTF-32 text (little-endian)");
  told("\0\0\xFE\xFF\0\0\0t"s, "UTF-32 text (big-endian)");
  told("\x1F\x8B\x08rest", "gzip");
  told("PK\x03\x04rest", "zip archive");
  told("PAR1\x15rest", "Parquet");
  told("\xFF\xFF\xFF\xFFrest", "Arrow stream");
  CHECK(lines_of("PARIS\n") == list{"PARIS"});
  CHECK_THROWS_WITH(lines_of("t\0e\0\n\0"s), Catch::StartsWith("f:1: holds a NUL byte, at byte 2 of the line: UTF-16"));
  CHECK_THROWS_WITH(lines_of("\x2D\x4E\0a"s), Catch::StartsWith("f:1: holds a NUL byte"));
  CHECK_THROWS_WITH(lines_of("\xE9\0a\0"s), Catch::Contains("UTF-16 or UTF-32 without a byte-order mark"));
  graft::line_reader raw(from("a\0b"s), "f");
  CHECK(all(std::move(raw.allow_nul())) == list{"a\0b"s});
}

TEST_CASE("a byte-order mark behind that of the text is named") {
  CHECK_THROWS_WITH(lines_of("a\n" + mark + "b\n"), Catch::StartsWith("f:2: begins with a byte-order mark (U+FEFF)"));
  CHECK_THROWS_WITH(lines_of(mark + mark + "b\n"), Catch::StartsWith("f:1: begins with a byte-order mark (U+FEFF)"));
}

TEST_CASE("blank lines are no rows at the end, and are named where rows follow") {
  for (const char* end : {"", "\n", "\n\n\n", "\r\n", "  \n", "\n \r\n\r\n", "\x1A", "\x1A\n"}) {
    INFO(std::string(end));
    CHECK(rows_of("a\nb\n" + std::string(end)) == list{"a", "b"});
  }
  CHECK_THROWS_WITH(rows_of("a\n\n \nb\n"), Catch::StartsWith("f:2: is blank, and rows follow"));
  CHECK_THROWS_WITH(rows_of("\na\n"), Catch::StartsWith("f:1: is blank"));
  CHECK(rows_of("a\n\xC2\xA0\nb") == list{"a", "\xC2\xA0", "b"});
}
