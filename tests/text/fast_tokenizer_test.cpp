#include "graft/text/fast_tokenizer.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/text/tokenizer.hpp"
#include "text/tiny_vocabularies.hpp"

using Catch::Contains;
using graft_test::g;
using graft_test::shared_path;
using graft_test::tokens_of;
using ids_type = std::vector<std::int32_t>;
using strings = std::vector<std::string>;

namespace {

graft::json fast_roberta() {
  graft::json vocabulary = graft::json::object();
  for (const auto& piece : graft_test::tiny_pieces()) vocabulary[piece] = vocabulary.size();
  graft::json merges = graft::json::array();
  graft::detail::for_each_line(graft_test::tiny_merges(), [&](std::uint64_t number, std::string_view line) {
    if (number > 1) merges.push_back(line);
  });
  return {
      {"version", "1.0"},
      {"truncation", {{"max_length", 3}}},
      {"added_tokens", {{{"id", 269}, {"content", "<mask>"}, {"lstrip", true}, {"special", true}}, {{"id", 270}, {"content", "<new>"}}}},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}},
      {"post_processor", {{"type", "RobertaProcessing"}, {"sep", {"</s>", 2}}, {"cls", {"<s>", 0}}, {"trim_offsets", true}}},
      {"model",
       {{"type", "BPE"}, {"dropout", nullptr}, {"unk_token", nullptr}, {"fuse_unk", false}, {"vocab", vocabulary}, {"merges", merges}}}};
}

graft::json fast_bert() {
  graft::json vocabulary = graft::json::object();
  graft::detail::for_each_line(graft_test::tiny_bert_pieces,
                               [&](std::uint64_t number, std::string_view line) { vocabulary[std::string(line)] = number - 1; });
  const auto special = [](const char* name) { return graft::json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; };
  return {
      {"version", "1.0"},
      {"added_tokens", {{{"id", 14}, {"content", "NewTok"}, {"normalized", true}}}},
      {"normalizer",
       {{"type", "BertNormalizer"}, {"clean_text", true}, {"handle_chinese_chars", true}, {"strip_accents", nullptr}, {"lowercase", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {special("[CLS]"), {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, special("[SEP]")}},
        {"special_tokens", {{"[CLS]", {{"id", "[CLS]"}, {"ids", {2}}}}, {"[SEP]", {{"id", "[SEP]"}, {"ids", {3}}}}}}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", 100},
        {"vocab", vocabulary}}}};
}

/// FILES: name, JSON.
graft::tokenizer read(const graft::json& file, const std::vector<std::pair<std::string, graft::json>>& files = {}) {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "tokenizer.json", file.dump());
  for (const auto& [name, content] : files) graft::write_file(folder / name, content.dump());
  return graft::tokenizer::from_folder(folder.path());
}

strings tokens(const graft::tokenizer& model, const std::string& text) { return tokens_of(model, model.encode(text)); }

}  // namespace

TEST_CASE("a byte-level tokenizer.json gives the ids of vocab.json and merges.txt") {
  const auto plain = graft_test::tiny_roberta();
  auto file = fast_roberta();
  const auto check = [&] {
    const auto fast = read(file);
    CHECK(fast.family() == graft::tokenizer_family::roberta);
    for (const std::string text : {"lower low new", " lower", "slowew aaaaa", "l\u00e9 \u4e16\n\n it's", ""}) {
      CHECK(fast.encode_plain(text) == plain.encode_plain(text));
      CHECK(fast.encode(text) == plain.encode(text));
    }
  };
  check();
  for (auto& merge : file["model"]["merges"]) {
    const auto text = merge.get<std::string>();
    merge = {text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)};
  }
  check();
  file["model"].erase("type");
  file.erase("post_processor");
  check();
}

TEST_CASE("added tokens of a tokenizer.json go on after the vocabulary, with their own flags") {
  const auto model = read(fast_roberta());
  CHECK(model.size() == 271);
  CHECK(model.token(270) == "<new>");
  CHECK_THROWS_WITH(model.token(271), Contains("outside the vocabulary"));
  CHECK(tokens(model, "low <mask> low") == strings{"low", "<mask>", g + "low"});  // lstrip only
  CHECK(tokens(model, "low <new> low") == strings{"low", g, "<new>", g + "low"});
  CHECK(tokens(model, "low</s>") == strings{"low", "</s>"});  // a special token need not be listed
  CHECK(model.encode_plain("<new>").size() == 4);
  CHECK(ids_type{model.cls_id(), model.sep_id(), model.pad_id(), model.unk_id(), model.mask_id()} == ids_type{0, 2, 1, 3, 269});
}

TEST_CASE("settings of the byte-level model are honored") {
  auto file = fast_roberta();
  file["pre_tokenizer"]["add_prefix_space"] = true;
  CHECK(tokens(read(file), "low<mask>low") == strings{g + "low", "<mask>", g + "low"});
  CHECK(tokens(read(file), " low") == strings{g + "low"});
  CHECK(tokens(read(file), "").empty());
  const graft::json off{{"add_prefix_space", false}};
  CHECK(tokens(read(file, {{"tokenizer_config.json", off}}), "low") == strings{"low"});

  file = fast_roberta();
  file["model"]["vocab"]["o\u0120"] = 270;
  file["model"]["merges"].push_back("o \u0120");
  file["added_tokens"][1]["id"] = 271;
  CHECK(tokens(read(file), "o x") == strings{"o", g, "x"});
  file["pre_tokenizer"]["use_regex"] = false;
  CHECK(tokens(read(file), "o x") == strings{"o" + g, "x"});

  file = fast_roberta();
  file["model"]["vocab"]["xyz"] = 270;
  file["added_tokens"][1]["id"] = 271;
  CHECK(tokens(read(file), "xyz") == strings{"x", "y", "z"});
  file["model"]["ignore_merges"] = true;
  CHECK(tokens(read(file), "xyz xy") == strings{"xyz", g, "x", "y"});
}

TEST_CASE("a WordPiece tokenizer.json gives the ids of vocab.txt") {
  const auto plain = graft_test::tiny_bert();
  auto file = fast_bert();
  const auto check = [&] {
    const auto fast = read(file);
    CHECK(fast.family() == graft::tokenizer_family::bert);
    CHECK(fast.size() == 15);
    for (const std::string text : {"LOWER, lowest!", "Caf\u00c9 cafe\u0301\u2028low", "low\u4e16low", "lowx stra\u1e9e", "lo\x07w"}) {
      CHECK(fast.encode_plain(text) == plain.encode_plain(text));
      CHECK(fast.encode(text) == plain.encode(text));
    }
  };
  check();
  file["model"].erase("type");
  check();
  // A token that is not special is looked for in normalized text; a special one in the text as it is.
  CHECK(tokens(read(file), "low NEWTOK[SEP]newtok [sep]") == strings{"low", "NewTok", "[SEP]", "NewTok", "[UNK]", "[UNK]", "[UNK]"});
}

TEST_CASE("settings of WordPiece and its normalizer are honored") {
  const auto check = [](const std::string& text, const strings& expected, const auto& change) {
    auto file = fast_bert();
    change(file);
    CHECK(tokens(read(file), text) == expected);
  };
  check("LOW low", {"[UNK]", "low"}, [](auto& f) { f["normalizer"]["lowercase"] = false; });
  check("caf\u00e9 low", {"[UNK]", "low"}, [](auto& f) { f["normalizer"]["lowercase"] = false; });
  check("caf\u00e9", {"cafe"}, [](auto& f) { f["normalizer"]["lowercase"] = false, f["normalizer"]["strip_accents"] = true; });
  check("CAF\u00c9 LOW", {"[UNK]", "low"}, [](auto& f) { f["normalizer"]["strip_accents"] = false; });
  check("low\u4e16", {"[UNK]"}, [](auto& f) { f["normalizer"]["handle_chinese_chars"] = false; });
  check("lo\x07w low\vlow", {"[UNK]", "low", "low"}, [](auto& f) { f["normalizer"]["clean_text"] = false; });
  check("low\u0378", {"[UNK]"}, [](auto&) {});  // not assigned: kept, as the tokenizers library does
  CHECK(tokens(graft_test::tiny_bert(), "low\u0378") == strings{"low"});
  check("lower", {"[UNK]"}, [](auto& f) { f["model"]["max_input_chars_per_word"] = 4; });
  check("lower lowest", {"low", "@@er", "[UNK]"}, [](auto& f) {
    f["model"]["continuing_subword_prefix"] = "@@";
    f["model"]["vocab"].erase("##er");
    f["model"]["vocab"]["@@er"] = 7;
  });
  check("zzz", {"stra"}, [](auto& f) { f["model"]["unk_token"] = "stra"; });

  const auto configured = [](const graft::json& config, const std::string& text) {
    return tokens(read(fast_bert(), {{"tokenizer_config.json", config}}), text);
  };
  CHECK(configured({{"do_lower_case", false}}, "LOW caf\u00e9") == strings{"[UNK]", "[UNK]"});
  CHECK(configured({{"strip_accents", false}}, "LOW caf\u00e9") == strings{"low", "[UNK]"});
  CHECK(configured({{"tokenize_chinese_chars", false}}, "LOW\u4e16") == strings{"[UNK]"});
}

TEST_CASE("pairs are laid out as the class says, or the post-processor of a class that says nothing") {
  const auto item = [](const char* kind, const char* id, int segment) { return graft::json{{kind, {{"id", id}, {"type_id", segment}}}}; };
  const auto token = [&](const char* id) { return item("SpecialToken", id, 0); };
  auto file = fast_roberta();
  file["post_processor"] = {{"type", "TemplateProcessing"},
                            {"pair", {token("<s>"), item("Sequence", "A", 0), token("</s>"), item("Sequence", "B", 1), token("</s>")}},
                            {"special_tokens", graft::json::object()}};
  const auto layout = [&](const char* name) {
    graft::json about = graft::json::object();
    if (*name != 0) about["tokenizer_class"] = name;
    const auto model = read(file, {{"tokenizer_config.json", about}});
    CHECK(model.named_class() == (std::string(name).ends_with("Fast") ? std::string(name).substr(0, std::string(name).size() - 4) : name));
    return model.layout();
  };
  CHECK(layout("") == graft::roberta_layout);
  CHECK(layout("RobertaTokenizerFast") == graft::roberta_layout);
  CHECK(layout("BertTokenizer") == graft::bert_layout);
  CHECK(layout("DistilBertTokenizer") == graft::text_layout{1, 0});
  CHECK(layout("PreTrainedTokenizerFast") == graft::bert_layout);
  file["post_processor"]["pair"] = {token("<s>"),  item("Sequence", "A", 0), token("</s>"),
                                    token("</s>"), item("Sequence", "B", 0), token("</s>")};
  CHECK(layout("TokenizersBackend") == graft::roberta_layout);
  file["post_processor"]["pair"] = {token("<s>"), item("Sequence", "B", 0), token("</s>"), item("Sequence", "A", 0), token("</s>")};
  CHECK_THROWS_WITH(layout("TokenizersBackend"), Contains("\"pair\": lays pairs out otherwise than graft can: <s> A </s> B </s>"));
  file["post_processor"]["pair"] = 7;
  CHECK_THROWS_WITH(layout("TokenizersBackend"), Contains("\"pair\": lays pairs out otherwise"));
}

TEST_CASE("special tokens may have other names") {
  auto file = fast_bert();
  file.erase("post_processor");
  for (const auto& [old, name] :
       std::vector<std::pair<std::string, std::string>>{{"[CLS]", "<s>"}, {"[SEP]", "</s>"}, {"[PAD]", "<pad>"}}) {
    file["model"]["vocab"][name] = file["model"]["vocab"][old];
    file["model"]["vocab"].erase(old);
  }
  CHECK_THROWS_WITH(read(file), Contains("tokenizer.json: \"model\": \"vocab\": has no \"[CLS]\""));
  graft::json names{{"cls_token", "<s>"}, {"sep_token", {{"content", "</s>"}}}, {"pad_token", "<pad>"}};
  const auto model = read(file, {{"special_tokens_map.json", names}});
  CHECK(ids_type{model.cls_id(), model.sep_id(), model.pad_id(), model.unk_id(), model.mask_id()} == ids_type{2, 3, 0, 1, 4});
  CHECK(tokens(model, "low</s>[CLS]") == strings{"low", "</s>", "[UNK]", "[UNK]", "[UNK]"});
  names["mask_token"] = "<absent>";
  const auto next = read(file, {{"special_tokens_map.json", names}});
  CHECK(next.mask_id() == next.size() - 1);
  CHECK(tokens(next, "low<absent>") == strings{"low", "<absent>"});
  names["mask_token"] = "<m>";
  CHECK(read(file, {{"special_tokens_map.json", names}, {"added_tokens.json", {{"<m>", 15}}}}).mask_id() == 15);
}

TEST_CASE("what a byte-level tokenizer.json asks for and graft lacks is refused in one line that names it") {
  const auto refusal = [](const std::string& place, const graft::json& value, const std::string& message) {
    auto file = fast_roberta();
    file[graft::json::json_pointer(place)] = value;
    CHECK_THROWS_WITH(read(file), Contains("tokenizer.json: " + message));
    CHECK_THROWS_WITH(read(file), !Contains("\n"));
  };
  refusal("/version", "2.0", "\"version\" is \"2.0\", graft takes null or \"1.0\" only");
  refusal("/truncation", {{"direction", "Left"}, {"max_length", 8}},
          "\"truncation\": \"direction\" is \"Left\", graft takes null or \"Right\" only");
  refusal("/model", "BPE", "has no \"model\"");
  refusal("/model/type", "CharBPE",
          "\"model\": \"type\" is \"CharBPE\", graft takes \"BPE\" or \"Unigram\" or \"WordPiece\" or \"WordLevel\" only");
  refusal("/model/dropout", 0.1, "\"model\": \"dropout\" is 0.1, graft takes null or 0 only");
  refusal("/model/new_setting", true, "\"model\": has a \"new_setting\", which graft does not know");
  refusal("/model/vocab", {"a"}, "\"model\": \"vocab\": holds a JSON array");
  refusal("/model/vocab/a", 900'000, "\"model\": \"vocab\": \"a\" has id 900000, which is far beyond a vocabulary of 270 pieces");
  refusal("/model/merges", 7, "\"model\": \"merges\": is no list of merges");
  refusal("/model/merges/2", "low", "\"model\": \"merges\": entry 2: \"low\" is no merge");
  refusal("/model/merges/2", {"a", "b", "c"}, "\"model\": \"merges\": entry 2: [\"a\",\"b\",\"c\"] is no merge");
  refusal("/model/merges/2", {"x", "y"}, "\"model\": \"merges\": entry 2: \"xy\" is not in");
  refusal("/pre_tokenizer/type", "UnicodeScripts", "\"pre_tokenizer\": \"type\" is \"UnicodeScripts\", graft takes Sequence, Metaspace, ");
  refusal("/normalizer", {{"type", "ByteLevel"}}, "\"normalizer\": \"type\" is \"ByteLevel\", graft takes Sequence, Precompiled, ");
  refusal("/pre_tokenizer/new_setting", true, "\"pre_tokenizer\": has a \"new_setting\"");
  refusal("/pre_tokenizer/add_prefix_space", "yes", "\"pre_tokenizer\": \"add_prefix_space\" is \"yes\"");
  refusal("/added_tokens/0/id", 5, "\"added_tokens\": \"<mask>\" has id 5, but 269 elsewhere");
  refusal("/added_tokens/1/id", 271, "\"added_tokens\": \"<new>\" has id 271, but the vocabulary has 270 pieces");
  refusal("/post_processor/type", "Wrap", "\"post_processor\": \"type\" is \"Wrap\"");
  refusal("/post_processor/sep", {"</s>", 3},
          "\"post_processor\": puts \"</s>\" (id 3) around a text, graft puts \"<s>\" (0) and \"</s>\" (2)");
  refusal("/post_processor/cls", {"<b>", 0}, "\"post_processor\": puts \"<b>\" (id 0)");
  refusal("/post_processor/cls", "<s>", "\"post_processor\": \"cls\" is \"<s>\"");
  auto file = fast_roberta();
  file["model"]["vocab"].erase("!");
  file["model"]["vocab"]["unused"] = 4 + '!';
  CHECK_THROWS_WITH(read(file), Contains("has neither a piece for byte 33 (\"!\") nor an unk_token"));
  file["model"]["unk_token"] = "<unk>";
  CHECK(tokens(read(file), "!") == strings{"<unk>"});
}

TEST_CASE("what a WordPiece tokenizer.json asks for and graft lacks is refused in one line that names it") {
  const auto refusal = [](const std::string& place, const graft::json& value, const std::string& message) {
    auto file = fast_bert();
    file[graft::json::json_pointer(place)] = value;
    CHECK_THROWS_WITH(read(file), Contains("tokenizer.json: " + message));
  };
  refusal("/normalizer/type", "NFKC", "\"normalizer\": has a \"clean_text\"");
  refusal("/normalizer/new_setting", 1, "\"normalizer\": has a \"new_setting\"");
  refusal("/normalizer/lowercase", "yes", "\"normalizer\": \"lowercase\" is \"yes\"");
  refusal("/model/unk_token", "[NONE]", "\"model\": \"vocab\": has no \"[NONE]\"");
  refusal("/model/max_input_chars_per_word", -1, "\"model\": \"max_input_chars_per_word\" is -1");
  refusal("/post_processor/special_tokens/[SEP]/ids", {4}, "\"post_processor\": puts \"[SEP]\" (id 4) around a text");
  refusal("/post_processor/special_tokens/[X]", {{"ids", {4}}}, "\"post_processor\": puts \"[X]\" (id 4) around a text");
}

TEST_CASE("the vocabularies of roberta-base and BERT give the same ids from either kind of file") {
  const auto text_path = shared_path("data/text/sample.txt");
  if (text_path.empty()) return;
  auto text = graft::read_file(text_path).substr(0, 200'000);
  text.resize(text.rfind('\n'));
  const auto check = [&](const std::string& name, graft::json file) {
    const auto plain = graft::tokenizer::from_folder(shared_path("data/tokenizer/" + name));
    const auto fast = read(file);
    CHECK(fast.size() == plain.size());
    graft::detail::for_each_line(text, [&](std::uint64_t, std::string_view line) { REQUIRE(fast.encode(line) == plain.encode(line)); });
  };
  auto roberta = fast_roberta();
  const auto folder = shared_path("data/tokenizer/roberta-base");
  roberta["model"]["vocab"] = graft::read_json(folder + "/vocab.json");
  roberta["model"]["merges"] = graft::json::array();
  graft::detail::for_each_line(graft::read_file(folder + "/merges.txt"), [&](std::uint64_t number, std::string_view line) {
    if (number > 1) roberta["model"]["merges"].push_back(line);
  });
  roberta.erase("added_tokens");
  check("roberta-base", roberta);
  auto bert = fast_bert();
  bert["model"]["vocab"] = graft::json::object();
  bert.erase("added_tokens");
  bert["post_processor"]["special_tokens"] = {{"[CLS]", {{"ids", {101}}}}, {"[SEP]", {{"ids", {102}}}}};
  graft::detail::for_each_line(
      graft::read_file(shared_path("data/tokenizer/bert-base-uncased/vocab.txt")),
      [&](std::uint64_t number, std::string_view line) { bert["model"]["vocab"][std::string(line)] = number - 1; });
  check("bert-base-uncased", bert);
}
