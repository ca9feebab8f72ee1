#include "graft/text/tokenizer.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <type_traits>

#include "text/tiny_vocabularies.hpp"

using Catch::Contains;
using graft_test::g;
using graft_test::shared_path;
using ids_type = std::vector<std::int32_t>;
using strings = std::vector<std::string>;

static_assert(std::is_nothrow_move_constructible_v<graft::tokenizer>);

TEST_CASE("the folder decides the family") {
  const auto roberta = graft_test::tiny_roberta();
  CHECK(roberta.family() == graft::tokenizer_family::roberta);
  CHECK(roberta.size() == 270);
  CHECK(ids_type{roberta.cls_id(), roberta.sep_id(), roberta.pad_id(), roberta.unk_id(), roberta.mask_id()} == ids_type{0, 2, 1, 3, 269});
  const auto bert = graft_test::tiny_bert();
  CHECK(bert.family() == graft::tokenizer_family::bert);
  CHECK(bert.size() == 14);
  CHECK(ids_type{bert.cls_id(), bert.sep_id(), bert.pad_id(), bert.unk_id(), bert.mask_id()} == ids_type{2, 3, 0, 1, 4});
}

TEST_CASE("special tokens inside a text are recognized and lose the white space around them") {
  const auto roberta = graft_test::tiny_roberta();
  const auto tokens = [&](const std::string& text) { return graft_test::tokens_of(roberta, roberta.encode(text)); };
  CHECK(tokens("low <mask> \u00a0low") == strings{"low", "<mask>", "low"});
  CHECK(tokens(" low</s></s> lo") == strings{g + "low", "</s>", "</s>", "lo"});
  CHECK(tokens("<s>") == strings{"<s>"});
  CHECK(tokens(" <mask> ") == strings{"<mask>"});
  CHECK(tokens("<<s><s") == strings{"<", "<s>", "<", "s"});
  CHECK(tokens(" low ") == strings{g + "low", g});
  CHECK(graft_test::tokens_of(roberta, roberta.encode_plain("<s>")) == strings{"<", "s", ">"});

  const auto bert = graft_test::tiny_bert();
  CHECK(graft_test::tokens_of(bert, bert.encode("Low[SEP]low [sep]")) == strings{"low", "[SEP]", "low", "[UNK]", "[UNK]", "[UNK]"});
}

TEST_CASE("invalid UTF-8 is an encoding_error") {
  const auto model = graft_test::tiny_roberta();
  CHECK_THROWS_AS(model.encode("low \xff"), graft::encoding_error);
  CHECK_THROWS_WITH(model.encode_plain("low \xff"), Contains("at byte 4"));
}

TEST_CASE("do_lower_case: the folder's configuration, then the caller, then the vocabulary decide") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.txt", graft_test::tiny_bert_pieces);
  const auto lowers = [&](std::optional<bool> option) {
    return graft::tokenizer::from_folder(folder.path(), option).encode("LOW") == ids_type{6};
  };
  CHECK(lowers(std::nullopt));
  CHECK_FALSE(lowers(false));
  graft::write_file(folder / "tokenizer_config.json", "{}");
  CHECK_FALSE(lowers(false));
  graft::write_file(folder / "tokenizer_config.json", R"({"do_lower_case": true})");
  CHECK(lowers(false));
  graft::write_file(folder / "tokenizer_config.json", R"({"do_lower_case": "yes"})");
  CHECK_THROWS_WITH(lowers(false), Contains("tokenizer_config.json") && Contains("do_lower_case"));
  std::filesystem::remove(folder / "tokenizer_config.json");
  graft::write_file(folder / "vocab.txt", graft_test::tiny_bert_pieces + "##X\n");
  CHECK_FALSE(lowers(std::nullopt));
  CHECK(lowers(true));
}

TEST_CASE("folders without a whole tokenizer are refused by name") {
  const graft_test::temporary_folder folder;
  const auto refusal = [&](const std::string& message) {
    CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()), Contains(folder.path()) && Contains(message));
  };
  refusal("holds neither vocab.json + merges.txt nor vocab.txt nor tokenizer.json");
  graft::write_file(folder / "vocab.json", "{}");
  refusal("holds neither vocab.json + merges.txt nor vocab.txt");
  for (const std::size_t special : {0, 2}) {
    auto pieces = graft_test::tiny_pieces();
    const auto missing = std::exchange(pieces[special], "unused");
    graft_test::write_roberta(folder, pieces, graft_test::tiny_merges());
    refusal("vocab.json: has no \"" + missing + "\"");
  }
  std::filesystem::remove(folder / "vocab.json");
  graft::write_file(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n");
  refusal("vocab.txt: has no \"[SEP]\"");
}

TEST_CASE("tokens added to plain files: ids after the vocabulary, flags from the files, white space on both sides goes without") {
  const graft_test::temporary_folder folder;
  graft_test::write_roberta(folder, graft_test::tiny_pieces(), graft_test::tiny_merges());
  graft::write_file(folder / "added_tokens.json", R"({"<b>": 271, "<a>": 270})");
  const auto tokens = [&](const std::string& text) {
    const auto model = graft::tokenizer::from_folder(folder.path());
    CHECK(model.size() == 272);
    CHECK(model.encode("<b>") == ids_type{271});
    return graft_test::tokens_of(model, model.encode(text));
  };
  CHECK(tokens("low <a> low <mask> low") == strings{"low", "<a>", "low", "<mask>", "low"});
  graft::write_file(folder / "special_tokens_map.json", R"({"mask_token": {"content": "<mask>", "lstrip": true}})");
  CHECK(tokens("low <a> low <mask> low") == strings{"low", "<a>", "low", "<mask>", g + "low"});
  graft::write_file(folder / "tokenizer_config.json",
                    R"({"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": true,
                        "added_tokens_decoder": {"269": {"content": "<mask>"}, "270": {"content": "<a>", "rstrip": true}}})");
  CHECK(tokens("low <a> low <mask> low") == strings{g + "low", g, "<a>", g + "low", g, "<mask>", g + "low"});
  graft::write_file(folder / "added_tokens.json", R"({"<b>": 272})");
  CHECK_THROWS_WITH(tokens(""), Contains("added_tokens.json: \"<b>\" has id 272, but the vocabulary has 270 pieces"));
}

TEST_CASE("BERT's plain files: settings, another unknown token, tokens that were added") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.txt", graft_test::tiny_bert_pieces);
  const auto tokens = [&](const std::string& config, const std::string& text) {
    graft::write_file(folder / "tokenizer_config.json", config);
    const auto model = graft::tokenizer::from_folder(folder.path());
    return graft_test::tokens_of(model, model.encode(text));
  };
  CHECK(tokens(R"({"strip_accents": false})", "LOW caf\u00e9") == strings{"low", "[UNK]"});
  CHECK(tokens(R"({"do_lower_case": false, "strip_accents": true})", "LOW caf\u00e9") == strings{"[UNK]", "cafe"});
  CHECK(tokens(R"({"tokenize_chinese_chars": false})", "low\u4e16") == strings{"[UNK]"});
  CHECK(tokens(R"({"unk_token": "stra"})", "zzz[UNK]") == strings{"stra", "stra", "stra", "stra"});
  CHECK(tokens(R"({"added_tokens_decoder": {"14": {"content": "NewTok"}}})", "low newtok, NEWTOK") ==
        strings{"low", "NewTok", ",", "NewTok"});
}

TEST_CASE("a tokenizer.json counts where the plain files beside it say something else, which is noted") {
  const graft_test::temporary_folder folder;
  const auto pieces = graft_test::tiny_pieces();
  graft_test::write_roberta(folder, pieces, graft_test::tiny_merges());
  const auto plain = graft::tokenizer::from_folder(folder.path());
  graft::json file{{"added_tokens", {{{"id", 0}, {"content", "<s>"}}}},
                   {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
                   {"model", {{"type", "BPE"}, {"merges", graft::json::array()}}}};
  for (std::size_t id = 0; id < pieces.size(); ++id) file["model"]["vocab"][pieces[id]] = id;
  graft::detail::for_each_line(graft_test::tiny_merges(), [&](std::uint64_t number, std::string_view line) {
    if (number > 1) file["model"]["merges"].push_back(std::string(line));
  });
  const auto read = [&](const graft::json& one) {
    graft::write_file(folder / "tokenizer.json", one.dump());
    return graft::tokenizer::from_folder(folder.path());
  };
  CHECK(read(file).notes().empty());
  CHECK(read(file).encode(" low <mask> low") == plain.encode(" low <mask> low"));  // as plain files strip it

  const auto counts = [&](const graft::json& one, const std::string& message) {
    for (const char* about : {"{}", R"({"tokenizer_class": "RobertaTokenizer"})"}) {
      graft::write_file(folder / "tokenizer_config.json", about);
      const auto model = read(one);
      REQUIRE(model.notes().size() == 1);
      CHECK_THAT(model.notes()[0], Contains(message) && Contains("tokenizer.json counts, as in transformers"));
      CHECK(model.layout() == graft::roberta_layout);
    }
    return read(one);
  };
  auto other = file;
  std::swap(other["model"]["vocab"]["lo"], other["model"]["vocab"]["er"]);
  CHECK(counts(other, "vocab.json: gives \"er\" id 263, but 260 is the one in tokenizer.json").encode_plain("lo") ==
        plain.encode_plain("er"));
  other = file;
  other["added_tokens"].push_back({{"id", 270}, {"content", "<new>"}});
  CHECK(counts(other, "vocab.json: gives \"<new>\" no id, but 270 is").encode("<new>") == ids_type{270});
  other = file;
  std::swap(other["model"]["merges"][0], other["model"]["merges"][3]);
  counts(other, "vocab.json: lies with a merges.txt without \"e r\" at that place");
  other = file;
  other["model"]["merges"].erase(8);
  counts(other, "vocab.json: lies with a merges.txt that is longer than the list of tokenizer.json");
  other = file;
  for (auto& merge : other["model"]["merges"]) {  // as newer files write them
    const auto text = merge.get<std::string>();
    merge = {text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)};
  }
  other["decoder"] = {{"model", {{"vocab", {1, {{"vocab", nullptr}}}}, {"merges", {{"a"}, 2}}}}, {"added_tokens", {{{"id", "none"}}}}};
  CHECK(read(other).notes().empty());
  std::swap(other["model"]["merges"][0][0], other["model"]["merges"][0][1]);
  CHECK_THROWS_WITH(read(other), Contains("tokenizer.json: \"model\": \"merges\": entry 0"));
  const auto refused = [&](const char* what, const graft::json& value, const std::string& message) {
    other = file;
    other["model"][graft::json::json_pointer(what)] = value;
    CHECK_THROWS_WITH(read(other), Contains("tokenizer.json") && Contains(message));
  };
  for (const auto& id : {graft::json(-1), graft::json(2.5), graft::json(nullptr), graft::json("6"), graft::json{{"id", 6}}}) {
    refused("/vocab/lo", id, "\"lo\" has id");
  }
  refused("/vocab", {"lo"}, "a JSON array, an object was expected");
  for (const auto& merge : {graft::json(1), graft::json{"e"}, graft::json{"e", "r", "r"}, graft::json{"e", 2}, graft::json("er")}) {
    refused("/merges/0", merge, "entry 0");
  }
  const auto odd = [&](const std::string& from, const std::string& to, const std::string& message) {
    auto text = file.dump();
    text.replace(text.find(from), from.size(), to);
    graft::write_file(folder / "tokenizer.json", text);
    CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()), Contains("tokenizer.json") && Contains(message));
  };
  odd("\"model\":{", "\"model\":{},\"model\":{", "\"model\" twice");
  odd("\"merges\":[", "\"merges\":[],\"merges\":[", "\"merges\" twice");
  odd("\"vocab\":{", "\"vocab\":null,\"vocab\":{", "\"vocab\" twice");
  odd("\"added_tokens\":[", "\"added_tokens\":[],\"added_tokens\":[", "\"added_tokens\" twice");
  odd("\"content\":\"<s>\"", "\"content\":\"<s>\",\"content\":\"<s>\"", "\"content\" twice");
  odd("\"content\":\"<s>\"", "\"content\":\"\"", "an added token is empty");
  odd("\"model\":{", "\"decoder\":" + std::string(150, '[') + std::string(150, ']') + ",\"model\":{", "levels deep");
  const auto whole = file.dump();
  graft::write_file(folder / "tokenizer.json", whole.substr(0, whole.size() - 1));
  CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()), Contains("tokenizer.json") && Contains("is not valid JSON"));
  graft::write_file(folder / "vocab.json", "version https://git-lfs.github.com/spec/v1\n");
  counts(file, "vocab.json: is a Git LFS pointer");
  graft::write_file(folder / "tokenizer.json", "{}");
  CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()), Contains("tokenizer.json: has no \"model\""));
}

TEST_CASE("the class that the files name decides what is read of them, and how pairs are laid out") {
  const graft_test::temporary_folder folder;
  graft_test::write_roberta(folder, graft_test::tiny_pieces(), graft_test::tiny_merges());
  graft::write_file(folder / "vocab.txt", graft_test::tiny_bert_pieces);
  const auto read = [&](const std::string& name) {
    graft::write_file(folder / "tokenizer_config.json", graft::json{{"tokenizer_class", name}}.dump());
    return graft::tokenizer::from_folder(folder.path());
  };
  CHECK(read("BertTokenizerFast").family() == graft::tokenizer_family::bert);
  CHECK(read("BertTokenizer").layout() == graft::bert_layout);
  CHECK(read("DistilBertTokenizer").layout() == graft::text_layout{1, 0});
  CHECK(read("RobertaTokenizer").family() == graft::tokenizer_family::roberta);
  CHECK(read("BartTokenizer").layout() == graft::roberta_layout);
  CHECK_THROWS_WITH(read("T5Tokenizer"), Contains("tokenizer_config.json: \"tokenizer_class\" is \"T5Tokenizer\", which graft cannot"));
  graft::write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "word_tokenizer_type": "mecab"})");
  CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()),
                    Contains("\"word_tokenizer_type\" is \"mecab\", graft has \"basic\" only"));
  graft::write_file(folder / "tokenizer_config.json", "{}");  // then the model's own configuration says it
  graft::write_file(folder / "config.json", R"({"tokenizer_class": "BertJapaneseTokenizer"})");
  CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()),
                    Contains("/config.json: \"tokenizer_class\" is \"BertJapaneseTokenizer\", which graft cannot"));
  graft::write_file(folder / "config.json", R"({"tokenizer_class": "BertTokenizerFast"})");
  CHECK(graft::tokenizer::from_folder(folder.path()).named_class() == "BertTokenizer");
  graft::write_file(folder / "config.json", R"({"tokenizer_class": null})");
  CHECK(graft::tokenizer::from_folder(folder.path()).family() == graft::tokenizer_family::roberta);
  auto model = read("BertTokenizer");
  CHECK(model.known().count == 14);
  model.fit({12, 0, 1});
  CHECK(model.known().count == 12);
  CHECK(model.layout() == graft::text_layout{1, 0});
}

TEST_CASE("a tokenizer.json is read alone where the configuration names a class that does not read plain files") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "vocab.txt", graft_test::tiny_bert_pieces);
  graft::write_file(folder / "tokenizer.json", "{}");
  graft::write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()), Contains("tokenizer.json: has no \"model\": not a tokenizer.json?"));
  std::filesystem::remove(folder / "tokenizer.json");
  CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()),
                    Contains("tokenizer_config.json: \"tokenizer_class\" is \"PreTrainedTokenizer\""));
}

TEST_CASE("awkward strings give the reference's ids") {
  const auto golden = shared_path("golden/tokenizer/unicode.json");
  if (golden.empty()) return;
  const auto rows = graft::read_json(golden);
  REQUIRE(rows.size() > 20);
  for (const std::string name : {"roberta-base", "bert-base-uncased", "bert-base-cased"}) {
    const auto model = graft::tokenizer::from_folder(shared_path("data/tokenizer/" + name));
    for (const auto& row : rows) {
      INFO(name << ": " << row["text"]);
      CHECK(model.encode_plain(row["text"].get<std::string>()) == row[name].get<ids_type>());
    }
  }
}
