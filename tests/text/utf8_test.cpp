#include "graft/text/utf8.hpp"

#include <catch2/catch.hpp>

TEST_CASE("invalid UTF-8 is refused with the offset of its first bad byte") {
  CHECK_NOTHROW(graft::require_utf8(""));
  CHECK_NOTHROW(graft::require_utf8("a\u00e9\u4e16\U0001f600"));
  const auto offset_of = [](std::string_view text) {
    try {
      graft::require_utf8(text);
    } catch (const graft::encoding_error& failure) {
      CHECK_THAT(failure.what(), Catch::Contains("not valid UTF-8 at byte " + std::to_string(failure.offset())));
      return static_cast<int>(failure.offset());
    }
    return -1;
  };
  CHECK(offset_of("abc\xff") == 3);
  CHECK(offset_of("\x80") == 0);
  CHECK(offset_of("a\xc3") == 1);               // cut short
  CHECK(offset_of("ab\xc0\xaf") == 2);          // overlong
  CHECK(offset_of("\u00e9\xed\xa0\x80") == 2);  // a surrogate
  CHECK(offset_of("\xf4\x90\x80\x80") == 0);    // above U+10FFFF
}

TEST_CASE("strip removes what Python's str.strip() removes") {
  CHECK(graft::strip(" \t\n\v\f\r\x1c\x1f\u0085\u00a0\u2003\u2028\u3000a b\u3000 ") == "a b");
  CHECK(graft::strip("\u200b\u00e9\ufeff") == "\u200b\u00e9\ufeff");  // neither is white space
  CHECK(graft::strip(" \u00a0 ").empty());
  CHECK(graft::strip_left(" a ") == "a ");
  CHECK(graft::strip_right(" a ") == " a");
}
