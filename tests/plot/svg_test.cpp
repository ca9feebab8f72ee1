#include "plot/svg.hpp"

#include <catch2/catch.hpp>
#include <set>

TEST_CASE("text is escaped, and made legal XML") {
  CHECK(graft::program::escaped("<a href=\"x\">R&D's</a>") == "&lt;a href=&quot;x&quot;&gt;R&amp;D&#39;s&lt;/a&gt;");
  CHECK(graft::program::escaped("größer 日本 😀") == "größer 日本 😀");
  CHECK(graft::program::escaped(std::string("a\0b\x1b[c", 6)) == "a\uFFFDb\uFFFD[c");
  CHECK(graft::program::escaped("\xff half \xe2\x82") == "\uFFFD half \uFFFD\uFFFD");
  CHECK(graft::program::escaped("\uFFFE") == "\uFFFD");
  CHECK(graft::program::escaped("a\x7f\u0085\u202Eb") == "a\uFFFD\uFFFD\uFFFDb");
}

TEST_CASE("long names keep their start and their end") {
  CHECK(graft::program::shortened("rte", 12, 100) == "rte");
  const std::string name = "roberta_adapter_for_recognizing_textual_entailment_seed_42";
  const std::string cut = graft::program::shortened(name, 12, 110);
  CHECK(graft::program::text_width(cut, 12) <= 110);
  CHECK_THAT(cut, Catch::StartsWith("robert") && Catch::Contains("…") && Catch::EndsWith("eed_42"));
  CHECK_THAT(graft::program::shortened("日本語日本語日本語日本語日本語", 12, 80), Catch::StartsWith("日本語…"));
}

TEST_CASE("ten adapters and the base have eleven different pens") {
  std::set<std::pair<std::string, std::string>> looks;
  for (std::size_t i = 0; i < 10; ++i) looks.insert({graft::program::adapter_pen(i).color, graft::program::adapter_pen(i).dash});
  looks.insert({graft::program::base_pen().color, graft::program::base_pen().dash});
  CHECK(looks.size() == 11);
}
