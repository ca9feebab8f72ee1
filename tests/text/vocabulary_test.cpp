#include "graft/text/vocabulary.hpp"

#include <catch2/catch.hpp>

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
  refusal(R"({"a": 0, "b": 0})", "\"b\" has id 0, which \"a\" has already");
  refusal(R"({"a": 0, "b": 2})", "\"b\" has id 2, but 2 pieces need the ids 0, 1, 2, ... without gaps");
  CHECK_THROWS_WITH(graft::vocabulary::from_json(folder / "absent"), Contains("cannot be opened"));

  graft::write_file(folder / "vocab.txt", "a\nb\na\n");
  CHECK_THROWS_WITH(graft::vocabulary::from_lines(folder / "vocab.txt"), Contains("vocab.txt: \"a\" stands there twice, with ids 0 and 2"));
  graft::write_file(folder / "vocab.txt", "a\n\xff\n");
  CHECK_THROWS_WITH(graft::vocabulary::from_lines(folder / "vocab.txt"), Contains("vocab.txt: text is not valid UTF-8 at byte 2"));
}
