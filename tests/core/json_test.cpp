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
  CHECK_THROWS_WITH(parse_json("{\"a\": 1e999}", "x.json"), "x.json: holds a number that is too large, one below 1.8e308 was expected");
  CHECK_THROWS_WITH(parse_json("{\"a\" 1}", "x.json"), "x.json: byte 5: is not valid JSON (cut short, or not a JSON file?)");
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
