#include "graft/core/printable.hpp"

#include <catch2/catch.hpp>
#include <string>

using graft::printable;

TEST_CASE("ordinary text stays as it is") {
  for (const char* text : {"", "a label", "größer als", "日本語", "a\"b\\c", "👩‍👩‍👧", "e\u0301"})
    CHECK(printable(text) == text);
}

TEST_CASE("what a terminal would obey is written out") {
  CHECK(printable("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(printable("\x1b[2J\x07\x7f") == "\\x1b[2J\\x07\\x7f");
  CHECK(printable(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(printable("\uFEFFa\u202Eb\u2028c\u0085") == "\\ufeffa\\u202eb\\u2028c\\u0085");
}

TEST_CASE("bytes that are not UTF-8 are written as numbers") {
  CHECK(printable("caf\xe9") == "caf\\xe9");
  CHECK(printable("\xff\xfe") == "\\xff\\xfe");
  CHECK(printable("\xe6\x97") == "\\xe6\\x97");           // cut short
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // half a surrogate pair
}

TEST_CASE("long text keeps its ends, and characters whole") {
  CHECK(printable(std::string(300, 'a')) == std::string(300, 'a'));
  CHECK(printable(std::string(200, 'a') + std::string(200, 'b'), 10) == "aaaaa...bbbbb");
  std::string text;
  for (int i = 0; i < 100; ++i) text += "日";
  CHECK(printable(text, 10) == "日...日");
  CHECK(printable(std::string(1000, '\x80'), 8) == "\\x80...\\x80");
  CHECK(printable(text, 0) == "...");
}
