#include "graft/text/wordpiece.hpp"

#include <catch2/catch.hpp>

#include "graft/text/tokenizer.hpp"
#include "text/tiny_vocabularies.hpp"

using strings = std::vector<std::string>;

TEST_CASE("words are cleaned, set apart and cut into the longest pieces") {
  const auto model = graft_test::tiny_bert();
  const auto tokens = [&](const std::string& text) { return graft_test::tokens_of(model, model.encode_plain(text)); };
  CHECK(tokens("LOWER, lowest!") == strings{"low", "##er", ",", "low", "##est", "!"});
  CHECK(tokens("Caf\u00c9 cafe\u0301\u2028low") == strings{"cafe", "cafe", "low"});
  CHECK(tokens("low\u4e16low") == strings{"low", "\u4e16", "low"});
  CHECK(tokens("stra\u1e9e") == strings{"stra", "##\u00df"});  // capital sharp s
  CHECK(tokens(std::string("lo\0w\u200b\x07\ufffd\ue000", 14) + "er") == strings{"low", "##er"});
  CHECK(tokens("lowx low") == strings{"[UNK]", "low"});  // no cut: the whole word is unknown
  CHECK(tokens("\u0301 \t\r\n").empty());
  CHECK(tokens("\u00bflow") == strings{"[UNK]", "low"});  // punctuation outside ASCII is a word of its own, too
}

TEST_CASE("cased text keeps its case and accents") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.txt", graft_test::tiny_bert_pieces + "Low\ncaf\u00e9\n");
  const auto model = graft::tokenizer::from_folder(folder.path());
  CHECK(graft_test::tokens_of(model, model.encode_plain("Low low LOW caf\u00e9")) == strings{"Low", "low", "[UNK]", "caf\u00e9"});
}

TEST_CASE("a word of more than 100 characters is unknown") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n\u00df\n##\u00df\n");
  const auto model = graft::tokenizer::from_folder(folder.path());
  std::string word;
  for (int i = 0; i < 100; ++i) word += "\u00df";
  CHECK(model.encode_plain(word).size() == 100);
  CHECK(model.encode_plain(word + "\u00df") == std::vector<std::int32_t>{1});
}

TEST_CASE("lower case, accents, ideographs and cleaning are settings of their own") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.txt", graft_test::tiny_bert_pieces);
  const auto normal = [&](const std::string& text, const graft::wordpiece_settings& settings) {
    std::string buffer;
    return std::string(graft::wordpiece(graft::vocabulary::from_lines(folder / "vocab.txt"), settings).normalize(text, buffer));
  };
  CHECK(normal("\u00c9A\u0130\u4e16\tb\x01\ufffd", {}) == "eai \u4e16  b");
  CHECK(normal("\u00c9A\u0130", {.lower_case = false}) == "\u00c9A\u0130");
  CHECK(normal("\u00c9A\u0130", {.strip_accents = true, .lower_case = false}) == "EAI");
  CHECK(normal("\u00c9A\u0130", {.strip_accents = false}) == "\u00e9ai\u0307");
  CHECK(normal("\u4e16", {.handle_chinese_chars = false}) == "\u4e16");
  CHECK(normal("a\tb\x01\u0378", {.clean_text = false}) == "a\tb\x01\u0378");
  CHECK(normal("\u0378", {}).empty());
  CHECK(normal("\u0378", {.drop_unassigned = false}) == "\u0378");
}
