#include "graft/data/jsonl.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/shared.hpp"

TEST_CASE("JSON lines hold texts or ready-made ids") {
  const graft_test::temporary_folder folder;
  const std::string path = folder / "rows.jsonl";
  graft::write_file(path,
                    "\xEF\xBB\xBF{\"text_a\": \"gr\\u00fcn \\\"x\\\"\", \"text_b\": \"b\", \"label\": \"yes\", \"guid\": 7}\r\n"
                    "\n  \t\n{\"text_a\": \"\", \"text_b\": null, \"label\": null}\n{\"input_ids\": [0, 5, 2], \"label\": 1}");
  const std::vector<graft::example> rows = graft::read_jsonl(path);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].text_a == "gr\xC3\xBCn \"x\"");
  CHECK(rows[0].text_b == "b");
  CHECK(rows[0].label == "yes");
  CHECK(rows[0].line == 1);
  CHECK(rows[0].input_ids.empty());
  CHECK(rows[1].text_a.empty());
  CHECK_FALSE(rows[1].text_b.has_value());
  CHECK_FALSE(rows[1].label.has_value());
  CHECK(rows[1].line == 4);
  CHECK(rows[2].input_ids == std::vector<std::int32_t>{0, 5, 2});
  CHECK(rows[2].label == "1");
}

TEST_CASE("numbers as labels become text without loss") {
  const auto text = [](const std::string& label) {
    return graft::parse_jsonl_row("{\"text_a\":\"\",\"label\":" + label + "}", "f", 1).label;
  };
  CHECK(text("1") == "1");
  CHECK(text("-12") == "-12");
  CHECK(text("1.0") == "1");
  CHECK(text("2.5") == "2.5");
  CHECK(text("4.980171203613281") == "4.980171203613281");
  CHECK(text("0.1") == "0.1");
  CHECK(text("\" 1 \"") == " 1 ");
}

TEST_CASE("a bad line is named with file and line") {
  const graft_test::temporary_folder folder;
  const std::string path = folder / "rows.jsonl";
  const auto refused = [&](const std::string& second) {
    graft::write_file(path, "{\"text_a\": \"fine\"}\n" + second + "\n");
    try {
      graft::read_jsonl(path);
    } catch (const graft::format_error& failure) {
      CHECK_THAT(failure.what(), Catch::StartsWith(path + ":2: "));
      return std::string(failure.what());
    }
    return std::string("nothing was thrown");
  };
  CHECK_THAT(refused("{\"text_a\": \"cut"), Catch::Contains("column 16: is not valid JSON: it ends in the middle of a value"));
  CHECK_THAT(refused("[1, 2]"), Catch::Contains("holds a JSON array, an object was expected"));
  CHECK_THAT(refused("{"), Catch::Contains("goes on in the next line; one whole object a line was expected"));
  CHECK_THAT(refused("7"), Catch::Contains("an object was expected"));
  CHECK_THAT(refused("{\"label\": 1}"), Catch::Contains("has no \"text_a\""));
  CHECK_THAT(refused("{\"text_a\": 3}"), Catch::Contains("\"text_a\" is 3"));
  CHECK_THAT(refused("{\"text_a\": \"\", \"text_b\": [1]}"), Catch::Contains("\"text_b\" is [1]"));
  CHECK_THAT(refused("{\"text_a\": \"\", \"label\": [[]]}"), Catch::Contains("label [] is neither a string nor a number"));
  CHECK_THAT(refused("{\"text_a\": \"\", \"label\": [\"a,b\"]}"), Catch::Contains("label \"a,b\" in a list is empty or holds a comma"));
  CHECK_THAT(refused("{\"text_a\": \"\", \"label\": true}"), Catch::Contains("label true is neither a string nor a number"));
  CHECK_THAT(refused("{\"text_a\": \"\", \"input_ids\": [1]}"), Catch::Contains("has both \"text_a\" and \"input_ids\""));
  CHECK_THAT(refused("{\"text_b\": \"\", \"input_ids\": [1]}"), Catch::Contains("has both \"text_b\" and \"input_ids\""));
  CHECK_THAT(refused("{\"input_ids\": []}"), Catch::Contains("is no list of token ids"));
  CHECK_THAT(refused("{\"input_ids\": \"1 2\"}"), Catch::Contains("is no list of token ids"));
  CHECK_THAT(refused("{\"input_ids\": [0, 1.5]}"), Catch::Contains("\"input_ids\" holds 1.5"));
  CHECK_THAT(refused("{\"input_ids\": [-1]}"), Catch::Contains("\"input_ids\" holds -1"));
  CHECK_THAT(refused("{\"input_ids\": [2147483648]}"), Catch::Contains("\"input_ids\" holds 2147483648"));
  CHECK_THAT(refused("{\"text_a\": \"\xE9\"}"), Catch::Contains("invalid UTF-8 at byte 13"));
  CHECK_THAT(refused(R"({"text_a": "ab \ud83d"})"), Catch::Contains("half of a surrogate pair"));
  CHECK_THAT(refused(R"({"text_a": "a", "label": NaN})"),
             Catch::Contains("column 26: is not valid JSON: it holds NaN, which JSON does not have"));
  CHECK_THAT(refused(R"({"text_a": "a"} {"text_a": "b"})"), Catch::Contains("goes on behind the end"));
}

TEST_CASE("a member that is not known is refused by name, with what it may stand for") {
  const auto refused = [](const std::string& row) {
    try {
      graft::parse_jsonl_row(row, "f", 2);
    } catch (const graft::format_error& failure) {
      return std::string(failure.what());
    }
    return std::string("taken");
  };
  CHECK_THAT(
      refused(R"({"premise": "a", "hypothesis": "b"})"),
      Catch::StartsWith("f:2: has fields that graft does not know: \"hypothesis\" (here: text_b), \"premise\" (here: text_a); rename"));
  CHECK_THAT(refused(R"({"text_a": "a", "hypothesis": "b"})"), Catch::Contains("\"hypothesis\" (here: text_b)"));
  CHECK_THAT(refused(R"({"text_a": "a", "note": null})"), Catch::Contains("a field that graft does not know: \"note\";"));
  CHECK_THAT(refused(R"({"input_ids": [1], "labels": 1})"), Catch::Contains("\"labels\" (here: label)"));
  CHECK_THAT(refused(R"({"input_ids": [1], "position_ids": [0]})"), Catch::Contains("\"position_ids\" (counted here"));
  CHECK_THAT(refused("{\"\xEF\xBB\xBFtext_a\": \"a\"}"), Catch::Contains("\"\\ufefftext_a\""));
  CHECK_THAT(refused(R"({"text_a": "a", "attention_mask": [1]})"), Catch::Contains("has \"attention_mask\" without \"input_ids\""));
  CHECK(refused(R"({"text_a": "a", "idx": 1, "ID": 2, "guid": "x", "pairID": 3})") == "taken");
  CHECK(refused(R"({"input_ids": [1], "special_tokens_mask": [1], "text_a": null, "token_type_ids": null})") == "taken");
}

TEST_CASE("what attention_mask calls padding is left out, before and behind") {
  using ids = std::vector<std::int32_t>;
  const auto read = [](const std::string& mask, const std::string& list = "[0, 8, 9, 2]") {
    return graft::parse_jsonl_row(R"({"input_ids": )" + list + R"(, "token_type_ids": [0, 0, 1, 1], "attention_mask": )" + mask + "}", "f",
                                  1);
  };
  CHECK(read("[1, 1, 1, 1]").input_ids == ids{0, 8, 9, 2});
  CHECK(read("[1, 1, 1, 0]").input_ids == ids{0, 8, 9});
  CHECK(read("[0, 0, 1, 1]").input_ids == ids{9, 2});
  CHECK(read("[0, 1, 1, 0]").token_type_ids == ids{0, 1});
  CHECK(read("[false, true, 1.0, 0.0]").input_ids == ids{8, 9});
  CHECK_THROWS_WITH(read("[1, 0, 1, 1]"),
                    "f:1: \"attention_mask\" has a 0 between two 1: padding was expected before and behind the tokens alone");
  CHECK_THROWS_WITH(read("[0, 0, 0, 0]"), "f:1: \"attention_mask\" holds no 1: the row has no token");
  CHECK_THROWS_WITH(read("[1, 1]"), "f:1: \"attention_mask\" has 2 entries, \"input_ids\" 4: as many were expected");
  CHECK_THROWS_WITH(read("[1, 1, 2, 0]"), "f:1: \"attention_mask\" holds 2, 0 or 1 was expected");
  CHECK_THROWS_WITH(read("\"1111\""), "f:1: \"attention_mask\" is \"1111\", a list of 0 and 1 was expected");
}

TEST_CASE("a list of labels is read as one text with commas, and said to be a list") {
  const auto row = graft::parse_jsonl_row(R"({"text_a": "x", "label": ["b", 2, "a"]})", "r.jsonl", 1);
  CHECK(row.label == "b,2,a");
  CHECK(row.label_is_list);
  const auto none = graft::parse_jsonl_row(R"({"text_a": "x", "label": []})", "r.jsonl", 1);
  CHECK(none.label == "");
  CHECK_FALSE(graft::parse_jsonl_row(R"({"text_a": "x", "label": "a"})", "r.jsonl", 1).label_is_list);
}
