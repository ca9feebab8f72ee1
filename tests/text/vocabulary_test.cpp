#include "graft/text/vocabulary.hpp"

#include <catch2/catch.hpp>

#include "graft/core/json.hpp"
#include "support/shared.hpp"

using Catch::Contains;

TEST_CASE("a vocabulary finds every piece by its id and every id by its piece") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.json", R"({"b": 0, "a": 2, "\u0120c": 1})");
  graft::write_file(folder / "vocab.txt", "b\r\n\u0120c\na");
  for (const auto& pieces : {graft::vocabulary::from_json(folder / "vocab.json"), graft::vocabulary::from_lines(folder / "vocab.txt")}) {
    CHECK(pieces.size() == 3);
    CHECK(pieces.piece(1) == "\u0120c");
    CHECK(pieces.find("\u0120c") == 1);
    CHECK(pieces.require("a") == 2);
    CHECK(pieces.find("") == -1);
    CHECK(pieces.find("d") == -1);
    CHECK_THROWS_WITH(pieces.require("d"), Contains("has no \"d\""));
    CHECK_THROWS_WITH(pieces.piece(3), Contains("token id 3 is outside the vocabulary of 3"));
    CHECK_THROWS_AS(pieces.piece(-1), graft::error);
  }
}

TEST_CASE("broken vocabularies are refused by name") {
  const graft_test::temporary_folder folder;
  const auto refusal = [&](const std::string& text, const std::string& message) {
    graft::write_file(folder / "vocab.json", text);
    CHECK_THROWS_WITH(graft::vocabulary::from_json(folder / "vocab.json"), Contains("vocab.json") && Contains(message));
  };
  refusal(R"({"a": 0,)", "byte 8: is not valid JSON");
  refusal("[]", "holds a JSON array");
  refusal(R"({"a": 0.5})", "\"a\" has id 0.5, an integer was expected");
  refusal(R"({"a": "0"})", "an integer was expected");
  refusal(R"({"a": -1})", "\"a\" has id -1, ids cannot be negative");
  refusal(R"({"a": 0, "b": 300032})", "\"b\" has id 300032, which is far beyond a vocabulary of 2 pieces");
  refusal(R"({"a": 18446744073709551615})", "\"a\" has id 18446744073709551615, which is far beyond");
  CHECK_THROWS_WITH(graft::vocabulary::from_json(folder / "absent"), Contains("cannot be opened"));

  graft::write_file(folder / "vocab.txt", "a\n\xff\n");
  CHECK_THROWS_WITH(graft::vocabulary::from_lines(folder / "vocab.txt"), Contains("vocab.txt: text is not valid UTF-8 at byte 2"));
}

TEST_CASE("vocab.json without a tree is that of a tree, with the same notes") {
  const graft_test::temporary_folder folder;
  for (const auto* text : {R"({"b": 0, "a": 2, "c": 1})", R"({"z": 0, "a": 300000})", R"({"a": 0, "b": 9, "a": 1})", R"({"b": 7, "a": 7})",
                           R"({"a": 7, "b": 7})", R"({"a": 0, "": 9, "": 1})", R"({"a": 0, "": 0})", R"({"": 0, "a": 0})", "{}"}) {
    INFO(text);
    graft::write_file(folder / "vocab.json", text);
    const auto path = folder / "vocab.json";
    const auto pieces = graft::vocabulary::from_json(path);
    std::string twice;
    const auto tree = graft::vocabulary::from_json(graft::parse_json(text, path, 0, &twice), path);
    auto notes = tree.notes();
    if (!twice.empty()) notes.push_back(path + ": " + twice + " stands there twice: the last one counts");
    CHECK(pieces.list() == tree.list());
    CHECK(pieces.notes() == notes);
    for (const auto* piece : {"", "a", "b", "c", "z"}) CHECK(pieces.find(piece) == tree.find(piece));
  }
}

TEST_CASE("vocab.txt: ids count lines, blank ones too, the last of two lines counts, what stands at the ends of lines does not") {
  const graft_test::temporary_folder folder;
  const auto read = [&](const std::string& text) {
    graft::write_file(folder / "vocab.txt", text);
    return graft::vocabulary::from_lines(folder / "vocab.txt");
  };
  auto pieces = read("a\nb\na\nc\na\nb\n");
  CHECK(pieces.size() == 6);
  CHECK(pieces.find("a") == 4);
  CHECK(pieces.find("b") == 5);
  CHECK(pieces.piece(0) == "a");
  CHECK(pieces.piece(4) == "a");
  REQUIRE(pieces.notes().size() == 1);
  CHECK_THAT(pieces.notes()[0],
             Contains("vocab.txt: \"a\" stands there twice, with ids 2 and 4 (and so on, 3 times): the last one counts"));
  pieces = read("a\n\n  \nb\n");
  CHECK(pieces.size() == 4);
  CHECK(pieces.find("b") == 3);
  REQUIRE(pieces.notes().size() == 1);
  CHECK_THAT(pieces.notes()[0], Contains("vocab.txt:2: is a blank line"));
  pieces = read("\xef\xbb\xbf[PAD]\r\na \r\nb\t\u3000\n c\n\n\n");
  CHECK(pieces.size() == 6);
  CHECK(pieces.find("[PAD]") == 0);
  CHECK(pieces.find("a") == 1);
  CHECK(pieces.find("b") == 2);
  CHECK(pieces.find(" c") == 3);
  CHECK(pieces.notes().empty());
}

TEST_CASE("vocab.json: the last id of a piece that stands there twice counts") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.json", R"({"a": 0, "b": 1, "a": 2})");
  const auto pieces = graft::vocabulary::from_json(folder / "vocab.json");
  CHECK(pieces.find("a") == 2);
  CHECK(pieces.size() == 3);
  REQUIRE(pieces.notes().size() == 1);
  CHECK_THAT(pieces.notes()[0], Contains("vocab.json: \"a\" stands there twice: the last one counts"));
}

TEST_CASE("vocab.json: ids may leave gaps, and two pieces may have one") {
  const auto pieces = graft::vocabulary::from_json(graft::json::parse(R"({"a": 0, "b": 7, "c": 7})"), "vocab.json");
  CHECK(pieces.size() == 8);
  CHECK(pieces.find("a") == 0);
  CHECK(pieces.find("b") == 7);
  CHECK(pieces.find("c") == 7);
  CHECK(pieces.piece(3).empty());
  CHECK(pieces.find("") == -1);
  REQUIRE(pieces.notes().size() == 1);
  CHECK_THAT(pieces.notes()[0], Contains("vocab.json: \"b\" has id 7, as \"c\" has: the model cannot tell them apart"));
}
