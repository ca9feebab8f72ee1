#include "graft/text/tokenizer_config.hpp"

#include <catch2/catch.hpp>

#include "support/shared.hpp"

using Catch::Contains;

TEST_CASE("a folder without the three files says nothing") {
  const graft_test::temporary_folder folder;
  const auto config = graft::read_tokenizer_config(folder.path());
  CHECK(config.tokenizer_class.empty());
  CHECK(config.mentions.empty());
  CHECK(config.special_tokens == std::array<std::string, 5>{});
  CHECK_FALSE((config.do_lower_case || config.strip_accents || config.tokenize_chinese_chars || config.add_prefix_space));
}

TEST_CASE("names, tokens and settings are read from all three files") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "added_tokens.json", R"({"<x>": 7})");
  graft::write_file(folder / "special_tokens_map.json", R"({"cls_token": "<s>", "bos_token": "<b>", "pad_token": null,
      "mask_token": {"content": "<m>", "lstrip": true, "rstrip": false, "single_word": false, "normalized": true},
      "additional_special_tokens": ["<y>", {"content": "<z>"}]})");
  graft::write_file(folder / "tokenizer_config.json", R"({"cls_token": "<s>", "sep_token": {"__type": "AddedToken", "content": "</s>"},
      "tokenizer_class": "BertTokenizerFast", "do_lower_case": false, "strip_accents": null, "tokenize_chinese_chars": false,
      "add_prefix_space": true, "model_max_length": 512, "extra_special_tokens": {"image_token": "<i>"},
      "added_tokens_decoder": {"9": {"content": "<x>", "special": true}}})");
  const auto config = graft::read_tokenizer_config(folder.path());
  CHECK(config.special_tokens == std::array<std::string, 5>{"<s>", "</s>", "", "", "<m>"});
  CHECK(config.tokenizer_class == "BertTokenizer");
  CHECK(config.do_lower_case == false);
  REQUIRE(config.strip_accents);
  CHECK_FALSE(config.strip_accents->has_value());
  CHECK(config.tokenize_chinese_chars == false);
  CHECK(config.add_prefix_space == true);
  std::string texts;
  for (const auto& token : config.mentions) texts += token.text + (token.special ? "!" : "");
  CHECK(texts == "<x><s>!<m>!<b>!<y>!<z>!<s>!</s>!<i>!<x>!");
  CHECK(config.mentions[0].id == 7);
  CHECK_FALSE(config.mentions[1].lstrip.has_value());
  CHECK(config.mentions[2].lstrip == true);
  CHECK(config.mentions[2].rstrip == false);
  CHECK(config.mentions[2].normalized == true);
  CHECK(config.mentions[7].lstrip == false);
  CHECK(config.mentions[7].normalized == false);
  CHECK(config.mentions.back().id == 9);
}

TEST_CASE("what the files contradict or graft lacks is refused by name") {
  const graft_test::temporary_folder folder;
  const auto refusal = [&](const std::string& name, const std::string& text, const std::string& message) {
    graft::write_file(folder / name, text);
    CHECK_THROWS_WITH(graft::read_tokenizer_config(folder.path()), Contains(name) && Contains(message));
    graft::write_file(folder / name, "{}");
  };
  refusal("added_tokens.json", R"(["<x>"])", "holds a JSON array, an object was expected");
  refusal("added_tokens.json", R"({"<x>": "7"})", "\"<x>\" is \"7\"");
  refusal("special_tokens_map.json", R"({"cls_token": 7})", "\"cls_token\": holds a JSON number");
  refusal("special_tokens_map.json", R"({"cls_token": {"lstrip": true}})", "\"cls_token\": has no \"content\"");
  refusal("special_tokens_map.json", R"({"additional_special_tokens": "<x>"})", "\"additional_special_tokens\" is no list of tokens");
  refusal("tokenizer_config.json", R"({"added_tokens_decoder": {"7x": {"content": "m"}}})", "\"7x\" is no token id");
  refusal("tokenizer_config.json", R"({"added_tokens_decoder": {"-7": {"content": "m"}}})", "\"-7\" is no token id");
  refusal("tokenizer_config.json", R"({"do_lower_case": "yes"})", "\"do_lower_case\" is \"yes\"");
  refusal("tokenizer_config.json", R"({"truncation_side": "left"})",
          "\"truncation_side\" is \"left\", graft cuts long texts on the right only");
}

TEST_CASE("what does not count is noted: settings of old tokenizers, and the other name of a special token") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "tokenizer_config.json", R"({"do_basic_tokenize": false, "never_split": ["x"], "model_max_length": 1e30})");
  auto config = graft::read_tokenizer_config(folder.path());
  REQUIRE(config.notes.size() == 2);
  CHECK_THAT(config.notes[0], Contains("tokenizer_config.json: \"do_basic_tokenize\" is not heeded"));
  CHECK_THAT(config.notes[1], Contains("tokenizer_config.json: \"never_split\" is not heeded"));

  graft::write_file(folder / "special_tokens_map.json", R"({"cls_token": "<s>", "sep_token": "</s>"})");
  graft::write_file(folder / "tokenizer_config.json", R"({"cls_token": "[CLS]", "sep_token": "</s>"})");
  config = graft::read_tokenizer_config(folder.path());
  CHECK(config.special_tokens[0] == "<s>");
  REQUIRE(config.notes.size() == 1);
  CHECK_THAT(config.notes[0], Contains("\"cls_token\" is \"[CLS]\", but \"<s>\" in special_tokens_map.json: the latter counts"));
  for (const auto& token : config.mentions) CHECK(token.text != "[CLS]");

  graft::write_file(folder / "tokenizer_config.json", R"({"cls_token": "[CLS]", "added_tokens_decoder": {}})");
  config = graft::read_tokenizer_config(folder.path());
  CHECK(config.special_tokens[0] == "[CLS]");
  CHECK_THAT(config.notes.at(0), Contains("the first counts"));
  for (const auto& token : config.mentions) CHECK(token.text != "<s>");
}
