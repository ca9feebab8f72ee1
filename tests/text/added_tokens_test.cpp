#include "graft/text/added_tokens.hpp"

#include <catch2/catch.hpp>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

using Catch::Contains;
using strings = std::vector<std::string>;

namespace {

graft::vocabulary three_pieces() {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.txt", "a\nb\n<c>\n");
  return graft::vocabulary::from_lines(folder / "vocab.txt");
}

/// Stretches of text in parentheses, tokens as their ids.
std::string parts(const graft::token_finder& finder, std::string_view text) {
  std::string result;
  finder.split(
      text, [&](std::string_view stretch) { result += "(" + std::string(stretch) + ")"; },
      [&](std::int32_t id, std::string_view) { result += std::to_string(id); });
  return result;
}

}  // namespace

TEST_CASE("tokens are found from the left, the longest first, with the white space that is theirs") {
  const graft::token_finder finder({{"<a>", 1, false, false, false},
                                    {"<a>b", 2, false, false, false},
                                    {"<l>", 3, true, false, false},
                                    {"<r>", 4, false, true, false},
                                    {"\u4e16", 5, true, true, false}});
  CHECK(parts(finder, "") == "");
  CHECK(parts(finder, "none <") == "(none <)");
  CHECK(parts(finder, "x <a> <a>b<a>") == "(x )1( )21");
  CHECK(parts(finder, "x \u00a0<l> <r>\u3000 y") == "(x)3( )4(y)");
  CHECK(parts(finder, " \u4e16 \u4e16 <a> ") == "551( )");
  const graft::token_finder words({{"ab", 1, false, false, false, true}, {"b", 2, false, false, false}});
  CHECK(parts(words, "ab xab abx \u00e9ab-ab_b") == "1( xab abx \u00e9ab-ab_)2");  // what is passed over is not looked into
  CHECK(parts(finder, "\x1c<l>") == "(\x1c)3");
  CHECK(parts(graft::token_finder({{"<l>", 3, true, false, false}}, graft::detail::is_stripped), "\x1c<l>") == "3");
  CHECK(parts(graft::token_finder(), "x") == "(x)");
  CHECK(graft::token_finder().empty());
  // The space belongs to the token that it follows, and is no text between the two.
  CHECK(parts(graft::token_finder({{"<r>", 4, false, true, false}, {" x", 6, false, false, false}}), "<r>  x y") == "46( y)");
}

TEST_CASE("mentions of one token come to one id, and the later flags count") {
  const auto pieces = three_pieces();
  const auto settled = graft::settle(pieces,
                                     {{.text = "<c>", .where = "f", .special = true},
                                      {.text = "<e>", .where = "f", .special = true, .lstrip = true, .rstrip = false},
                                      {.text = "<e>", .where = "f", .id = 4, .lstrip = false},
                                      {.text = "<d>", .where = "f", .id = 3},
                                      {.text = "a", .where = "f", .id = 0, .normalized = false}},
                                     true);
  CHECK(settled.beyond == strings{"<d>", "<e>"});
  REQUIRE(settled.searched.size() == 4);
  const auto check = [&](std::size_t place, const std::string& text, std::int32_t id, bool lstrip, bool rstrip, bool normalized) {
    const auto& token = settled.searched[place];
    CHECK(token.text == text);
    CHECK(token.id == id);
    CHECK(token.lstrip == lstrip);
    CHECK(token.rstrip == rstrip);
    CHECK(token.normalized == normalized);
  };
  check(0, "<c>", 2, true, true, false);
  check(1, "<d>", 3, true, true, true);
  check(2, "<e>", 4, false, false, false);
  check(3, "a", 0, true, true, false);
}

TEST_CASE("ids that contradict each other are refused with the file that says so") {
  const auto pieces = three_pieces();
  const auto refusal = [&](const std::vector<graft::added_token>& mentions, const std::string& message) {
    CHECK_THROWS_WITH(graft::settle(pieces, mentions, false), Contains(message));
  };
  refusal({{.text = "", .where = "f"}}, "f: an added token is empty");
  refusal({{.text = "a", .where = "f", .id = 3}}, "f: \"a\" has id 3, but 0 elsewhere");
  refusal({{.text = "<d>", .where = "f", .id = 3}, {.text = "<d>", .where = "g", .id = 4}}, "g: \"<d>\" has id 4, but 3 elsewhere");
  refusal({{.text = "<d>", .where = "f", .id = 1}}, "f: \"<d>\" has id 1, which \"b\" has already");
  refusal({{.text = "<d>", .where = "f", .id = 3}, {.text = "<e>", .where = "g", .id = 3}},
          "g: \"<e>\" has id 3, which \"<d>\" has already");
  refusal({{.text = "<d>", .where = "f", .id = 4}}, "f: \"<d>\" has id 4, but the vocabulary has 3 pieces");
}

TEST_CASE("tokens that no file gives an id get the next ones, in order") {
  const auto settled = graft::settle(three_pieces(),
                                     {{.text = "<f>", .where = "f"},
                                      {.text = "b", .where = "f"},
                                      {.text = "<d>", .where = "f", .id = 3},
                                      {.text = "<e>", .where = "f"},
                                      {.text = "<f>", .where = "g", .special = true}},
                                     false);
  CHECK(settled.beyond == std::vector<std::string>{"<d>", "<f>", "<e>"});
  for (const auto& token : settled.searched) {
    if (token.text == "<e>") CHECK(token.id == 5);
    if (token.text == "<f>") CHECK(token.id == 4);
    if (token.text == "b") CHECK(token.id == 1);
  }
}
