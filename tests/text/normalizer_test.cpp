#include "graft/text/normalizer.hpp"

#include <catch2/catch.hpp>

#include "graft/text/json_section.hpp"
#include "graft/text/pre_tokenizer.hpp"

using Catch::Contains;
using graft::json;
using spans = std::vector<graft::text_span>;

namespace {

/// TEXT by STEPS, normalizers, from code point 1 on, and what each of its bytes stands for.
std::pair<std::string, spans> normalized(const std::vector<json>& steps, std::string_view text) {
  const json whole{{"type", "Sequence"}, {"normalizers", steps}};
  graft::detail::aligned_text made, spare;
  made.assign(text, 1, true);
  graft::normalizer(graft::detail::json_section{whole, "t"}).apply(made, spare);
  graft::detail::aligned_text plain;
  plain.assign(text, 1, false);
  graft::normalizer(graft::detail::json_section{whole, "t"}).apply(plain, spare);
  CHECK(plain.text == made.text);
  CHECK(made.from.size() == made.text.size());
  return {made.text, made.from};
}

/// The words of TEXT by CUTTER, between bars.
std::string words(const json& cutter, std::string_view text) {
  graft::detail::word_list made, spare;
  made.text.assign(text, 0, true);
  made.words.push_back({0, text.size()});
  graft::pre_tokenizer(graft::detail::json_section{cutter, "t"}).apply(made, spare);
  std::string result;
  for (const auto& [begin, end] : made.words) result += "|" + made.text.text.substr(begin, end - begin);
  return result;
}

json of_type(const char* type) { return {{"type", type}}; }

}  // namespace

TEST_CASE("normalizers say what their bytes stand for") {
  CHECK(normalized({of_type("NFC")}, "e\u0301x") == std::pair<std::string, spans>{"\u00e9x", {{1, 2}, {1, 2}, {3, 4}}});
  CHECK(normalized({of_type("NFD")}, "\u00e9x") == std::pair<std::string, spans>{"e\u0301x", {{1, 2}, {1, 2}, {1, 2}, {2, 3}}});
  CHECK(normalized({of_type("NFKC")}, "\ufb01\u0323").first == "f\u1ecb");
  CHECK(normalized({of_type("NFC")}, "a\u0345\u0301\u0323").first == "\u1ea1\u0301\u0345");  // marks in their order first
  CHECK(normalized({of_type("NFC")}, "\u1100\u1161\u11a8 \u2126").first == "\uac01 \u03a9");
  CHECK(normalized({of_type("NFKD")}, "\u3392\uac01").first == "MHz\u1100\u1161\u11a8");
  CHECK(normalized({of_type("NFD"), of_type("StripAccents"), of_type("Lowercase")}, "\u00c9\u0130").first == "ei");
  CHECK(normalized({of_type("Lowercase")}, "\u0130").second == spans{{1, 2}, {1, 2}, {1, 2}});
  CHECK(normalized({of_type("Nmt")}, "a\x08\u200b\tb").first == "a  b");
  CHECK(normalized({{{"type", "Strip"}, {"strip_left", true}, {"strip_right", false}}}, "\u3000 a ") ==
        std::pair<std::string, spans>{"a ", {{3, 4}, {4, 5}}});
  const json spaces{{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", "_"}};
  CHECK(normalized({spaces}, "a   b c") == std::pair<std::string, spans>{"a_b c", {{1, 2}, {4, 5}, {5, 6}, {6, 7}, {7, 8}}});
  CHECK(normalized({{{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", ""}}}, " a\u3000\n b").first == "ab");
  CHECK(normalized({{{"type", "Prepend"}, {"prepend", "xy"}}}, "a").second == spans{{1, 2}, {1, 2}, {1, 2}});
  CHECK(normalized({{{"type", "Prepend"}, {"prepend", "xy"}}}, "").first.empty());
  const json bert{
      {"type", "BertNormalizer"}, {"clean_text", true}, {"handle_chinese_chars", true}, {"strip_accents", nullptr}, {"lowercase", true}};
  CHECK(normalized({bert}, "\u00c9\x07\u4e16") ==
        std::pair<std::string, spans>{"e \u4e16 ", {{1, 2}, {3, 4}, {3, 4}, {3, 4}, {3, 4}, {3, 4}}});
}

TEST_CASE("pre-tokenizers cut as they are told to") {
  CHECK(words(of_type("WhitespaceSplit"), " a\u3000b ") == "|a|b");
  CHECK(words(of_type("Whitespace"), "a_b\u0301--c \u00bd") == "|a_b\u0301|--|c|\u00bd");
  CHECK(words(of_type("BertPreTokenizer"), "it's\u3002x") == "|it|'|s|\u3002|x");
  CHECK(words({{"type", "Digits"}, {"individual_digits", true}}, "a12") == "|a|1|2");
  CHECK(words({{"type", "Digits"}, {"individual_digits", false}}, "12a3") == "|12|a|3");
  const auto split = [](const char* behavior, bool invert) {
    return words({{"type", "Split"}, {"pattern", {{"String", "-"}}}, {"behavior", behavior}, {"invert", invert}}, "-a--b-");
  };
  CHECK(split("Removed", false) == "|a|b");
  CHECK(split("Removed", true) == "|-|-|-|-");
  CHECK(split("Isolated", false) == "|-|a|-|-|b|-");
  CHECK(split("MergedWithPrevious", false) == "|-|a-|-|b-");
  CHECK(split("MergedWithNext", false) == "|-a|-|-b|-");
  CHECK(split("Contiguous", false) == "|-|a|--|b|-");
  const auto metaspace = [](const char* scheme, bool whole) {
    return words({{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", scheme}, {"split", !whole}}, "a b_ c");
  };
  CHECK(metaspace("always", false) == "|_a|_b|_|_c");
  CHECK(metaspace("first", true) == "|_a_b__c");
  CHECK(metaspace("never", false) == "|a|_b|_|_c");
  const json bytes{{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", true}};
  CHECK(words(bytes, "it's \u00e9") == "|\u0120it|'s|\u0120\u00c3\u00a9");
}

TEST_CASE("steps that graft lacks, or that are broken, are refused in a line that names them") {
  const auto refusal = [](const json& step, const std::string& message) {
    CHECK_THROWS_WITH(graft::normalizer(graft::detail::json_section{step, "f"}), Contains(message) && !Contains("\n"));
  };
  refusal(of_type("Byte"), "f: \"type\" is \"Byte\", graft takes Sequence, Precompiled");
  refusal({{"type", 3}}, "f: \"type\" is 3");
  refusal({{"type", "NFC"}, {"form", 1}}, "f: has a \"form\", which graft does not know");
  refusal({{"type", "Sequence"}, {"normalizers", 5}}, "f: \"normalizers\": is 5, a list was expected");
  json deep = of_type("NFC");
  for (int i = 0; i < 20; ++i) deep = {{"type", "Sequence"}, {"normalizers", json::array({deep})}};
  refusal(deep, "is a list in more lists than graft follows");
  refusal({{"type", "Replace"}, {"pattern", {{"Regex", "[a-z]+"}}}, {"content", ""}},
          "\"Regex\" is \"[a-z]+\", graft takes GPT-2's words, \"\\s+\" and \" {2,}\" only");
  refusal({{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", "$1"}}, "graft takes it without groups");
  refusal({{"type", "Replace"}, {"pattern", {{"String", ""}}}, {"content", "a"}}, "\"pattern\" is empty");
  refusal({{"type", "Precompiled"}, {"precompiled_charsmap", "AAA*"}}, "is not base64");
  refusal({{"type", "Precompiled"}, {"precompiled_charsmap", "////fw=="}}, "is no table of characters: its 4 bytes are cut short");
  const json cutter{{"type", "Metaspace"}, {"replacement", "ab"}};
  CHECK_THROWS_WITH(graft::pre_tokenizer(graft::detail::json_section{cutter, "f"}), Contains("one character was expected"));
}
