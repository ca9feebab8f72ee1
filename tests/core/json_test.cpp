#include "graft/core/json.hpp"

#include <catch2/catch.hpp>

using graft::json;
using graft::parse_json;
using graft::required;

TEST_CASE("JSON that no file holds is refused in one line") {
  for (const auto* open : {"[", "{\"a\":"}) {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += open;  // deep enough to overflow the stack when copied or printed
    CHECK_THROWS_WITH(parse_json(deep, "x.json"), "x.json: is nested more than 100 levels deep, which no such file is");
  }
  CHECK(parse_json(std::string(100, '[') + std::string(100, ']'), "x.json").is_array());
  CHECK_THROWS_WITH(parse_json(std::string(101, '[') + std::string(101, ']'), "x.json"), Catch::Contains("more than 100 levels"));
  CHECK_THROWS_WITH(parse_json("{\"a\": 1e999}", "x.json"), "x.json: holds a number that is too large, one below 1.8e308 was expected");
  CHECK_THROWS_WITH(parse_json("{\"a\" 1}", "x.json"), "x.json: byte 5: is not valid JSON (cut short, or not a JSON file?)");
}

TEST_CASE("JSON becomes the value that nlohmann's own parser makes of it") {
  for (const auto* text : {"null", "[]", "{}", "-3", R"([1, -2, 2.5, 1e-3, true, false, null, "x", [[]], {}])", "18446744073709551615",
                           R"({"b": {"c": [1, {"d": "\u00e9\n"}, []], "a": {}}, "a": [{"a": 1}, {"b": 2}], "": -9223372036854775808})"}) {
    CHECK(parse_json(text, "x.json") == json::parse(text));
    CHECK(parse_json<graft::ordered_json>(text, "x.json").dump() == graft::ordered_json::parse(text).dump());
  }
  std::string twice;
  CHECK(parse_json(R"({"a": 1, "b": {"c": 2, "c": [3]}, "a": 4})", "x.json", 0, &twice) == json::parse(R"({"a": 4, "b": {"c": [3]}})"));
  CHECK(twice == "\"c\"");
}

TEST_CASE("what is not JSON is called by its name, with the place") {
  const auto told = [](const std::string& text, const std::string& what) {
    CHECK_THROWS_WITH(parse_json(text, "x.json"), Catch::Contains(what));
  };
  told(R"({"a": NaN})", "x.json: byte 6: is not valid JSON: it holds NaN, which JSON does not have");
  told(R"({"a": -Infinity})", "holds Infinity, which JSON does not have");
  told(R"({"a": True})", "as Python prints it");
  told(R"({'a': 1})", "x.json: byte 1: is not valid JSON: it has single quotes");
  told(R"({"a": 1,})", "a comma before a closing bracket");
  told(R"({"a": "\udc00"})", "half of a surrogate pair");
  told(R"({"a": "\ud83d x"})", "half of a surrogate pair");
  told(R"({"a": "C:\x"})", "a backslash that begins no escape");
  told("{\"a\": \"b\tc\"}", "a control character inside a string");
  told("{\"a\": \"\xE9\"}", "a string that is not UTF-8");
  told(R"({"a": 1)", "x.json: byte 7: is not valid JSON: it ends in the middle");
  told("{} {}", "goes on behind the end");
  CHECK_THROWS_WITH(parse_json("{\"a\" 1}", "rows.jsonl", 7), "rows.jsonl:7: column 6: is not valid JSON (cut short, or not a JSON file?)");
}

TEST_CASE("a value in a message is short, and cannot touch the terminal") {
  const std::string text = std::string(1000, 'a') + "\x1b[31m";
  CHECK(graft::shown(json(text)).size() < 120);
  CHECK(graft::shown(json("a\x7f\xE2\x80\xAE\xFF")).find('\x7f') == std::string::npos);
  CHECK_THROWS_WITH(required<int>(json{{"n", text}}, "n", "x"), Catch::Contains("\"n\" is \"aaa") && Catch::Contains("..."));
}

TEST_CASE("an ordered object of very many members is refused before it takes a minute") {
  std::string text = "{\"k\":0";
  for (int i = 0; i < 20'000; ++i) text += ",\"" + std::to_string(i) + "\":0";
  CHECK_THROWS_WITH(parse_json<graft::ordered_json>(text + "}", "x.json"),
                    "x.json: has an object of more than 10000 members, which no such file has");
  CHECK(parse_json(text + "}", "x.json").size() == 20'001);
}

TEST_CASE("a member is never bent to the type asked for") {
  const json object{{"whole", 3}, {"part", 2.5}, {"huge", 1e300}, {"large", 1ull << 63}, {"negative", -1}, {"yes", true}};
  CHECK(required<int>(object, "whole", "x") == 3);
  CHECK(required<double>(object, "whole", "x") == 3);
  CHECK(required<std::uint64_t>(object, "large", "x") == 1ull << 63);
  CHECK_THROWS_WITH(required<int>(object, "part", "x"), "x: \"part\" is 2.5, a value of another type was expected");
  CHECK_THROWS_WITH(required<int>(object, "huge", "x"), "x: \"huge\" is 1e+300, a value of another type was expected");
  CHECK_THROWS_WITH(required<std::int64_t>(object, "large", "x"), Catch::Contains("\"large\" is 9223372036854775808"));
  CHECK_THROWS_AS(required<std::uint64_t>(object, "negative", "x"), graft::format_error);
  CHECK_THROWS_AS(required<int>(object, "yes", "x"), graft::format_error);
  CHECK_THROWS_AS(required<std::string>(object, "whole", "x"), graft::format_error);
  CHECK_THROWS_WITH(required<int>(object, "absent", "x"), "x: has no \"absent\"");
}

TEST_CASE("a member that an object names twice is refused, the same name in two objects is not") {
  CHECK(graft::parse_json(R"({"a": {"b": 1}, "c": [{"b": 2}, {"b": 3}], "b": 4})", "f")["b"] == 4);
  CHECK_THROWS_WITH(graft::parse_json(R"({"c": [{"b": 2, "b": 3}]})", "f"), "f: names \"b\" twice in one object");
}
