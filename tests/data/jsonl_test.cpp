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
    return graft::parse_jsonl_row("{\"text_a\":\"\",\"label\":" + label + "}", "f:1").label;
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
  CHECK_THAT(refused("{\"text_a\": \"cut"), Catch::Contains("is not valid JSON"));
  CHECK_THAT(refused("[1, 2]"), Catch::Contains("holds a JSON array, an object was expected"));
  CHECK_THAT(refused("7"), Catch::Contains("an object was expected"));
  CHECK_THAT(refused("{\"label\": 1}"), Catch::Contains("has no \"text_a\""));
  CHECK_THAT(refused("{\"text_a\": 3}"), Catch::Contains("\"text_a\" is 3"));
  CHECK_THAT(refused("{\"text_a\": \"\", \"text_b\": [1]}"), Catch::Contains("\"text_b\" is [1]"));
  CHECK_THAT(refused("{\"text_a\": \"\", \"label\": true}"), Catch::Contains("label true is neither a string nor a number"));
  CHECK_THAT(refused("{\"text_a\": \"\", \"input_ids\": [1]}"), Catch::Contains("has both"));
  CHECK_THAT(refused("{\"input_ids\": []}"), Catch::Contains("is no list of token ids"));
  CHECK_THAT(refused("{\"input_ids\": \"1 2\"}"), Catch::Contains("is no list of token ids"));
  CHECK_THAT(refused("{\"input_ids\": [0, 1.5]}"), Catch::Contains("\"input_ids\" holds 1.5"));
  CHECK_THAT(refused("{\"input_ids\": [-1]}"), Catch::Contains("\"input_ids\" holds -1"));
  CHECK_THAT(refused("{\"input_ids\": [2147483648]}"), Catch::Contains("\"input_ids\" holds 2147483648"));
  CHECK_THAT(refused("{\"text_a\": \"\xE9\"}"), Catch::Contains("invalid UTF-8 at byte 13"));
}
