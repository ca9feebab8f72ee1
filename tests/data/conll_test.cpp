// Words with tags in columns, and as JSON lines.

#include "graft/data/conll.hpp"

#include <catch2/catch.hpp>

#include "graft/data/data_set.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/featurize.hpp"
#include "graft/data/jsonl.hpp"
#include "graft/text/tokenizer.hpp"
#include "support/shared.hpp"
#include "support/tiny_folder.hpp"

using graft::task_kind;
using graft_test::temporary_folder;
using strings = std::vector<std::string>;

namespace {

std::vector<graft::example> words_in(const std::string& name, const std::string& text, const std::string& split = "train", int column = 0) {
  const temporary_folder folder;
  graft::write_file(folder / name, text);
  auto asked = graft::custom_task("names", task_kind::token_classification, {});
  asked.tag_column = column;
  return graft::read_examples(asked, split, folder / name);
}

}  // namespace

TEST_CASE("columns are words and tags, blank lines stand between texts") {
  const auto rows = words_in("a.conll", "-DOCSTART- -X- O\n\nAnn NNP B-PER\nlives VBZ O \r\n\n\n\nBonn NNP B-LOC\n");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].words == strings{"Ann", "lives"});
  CHECK(rows[0].tags == strings{"B-PER", "O"});
  CHECK(rows[0].line == 3);
  CHECK(rows[1].words == strings{"Bonn"});
  CHECK(rows[1].line == 8);
  CHECK(words_in("a.txt", "New York\tB-LOC\n")[0].words == strings{"New York"});  // tabs: a word may hold a space
  CHECK(words_in("a.conll", "Ann NNP B-PER\n", "train", 2)[0].tags == strings{"NNP"});
  CHECK(words_in("a.conll", "Ann\nx\n", "test")[0].words == strings{"Ann", "x"});
  CHECK(words_in("a.conll", "Ann O\n", "test")[0].tags.empty());
}

TEST_CASE("columns that are not as they should be are refused") {
  CHECK_THROWS_WITH(words_in("a.conll", "Ann O\n\nBonn\n"),
                    Catch::EndsWith("a.conll:3: has 1 column, 2 as in the first line were expected; "
                                    "a blank line ends a text"));
  CHECK_THROWS_WITH(words_in("a.conll", "# id 1 of 2\nAnn O\n"),
                    Catch::EndsWith("a blank line ends a text; comments (#) are not read: take them out"));
  CHECK_THROWS_WITH(words_in("a.conll", "#\nAnn O\n"), Catch::EndsWith("were expected; comments (#) are not read: take them out"));
  CHECK_THROWS_WITH(words_in("a.conll", "Ann\n"),
                    Catch::EndsWith(":1: has 1 column, a word and its tag, with a tab or spaces between, were expected"));
  CHECK_THROWS_WITH(words_in("a.conll", "Ann O\n", "train", 3), Catch::Contains("has 2 columns, 3 or more (\"tag_column\") were expected"));
  CHECK_THROWS_WITH(words_in("a.conll", "Ann\t\n"), Catch::Contains("has an empty column"));
  CHECK_THROWS_WITH(words_in("a.conll", "\n\n"), Catch::Contains("holds no rows"));
  CHECK_THROWS_WITH(words_in("a.conll", "Ann \xff\n"), Catch::Contains(":1: invalid UTF-8"));
}

TEST_CASE("JSON lines hold words and tags") {
  const auto rows =
      words_in("a.jsonl", "{\"id\": \"0\", \"tokens\": [\"Ann\", \"x\"], \"ner_tags\": [\"B-PER\", \"O\"], \"pos_tags\": [1, 2]}\n");
  CHECK(rows[0].words == strings{"Ann", "x"});
  CHECK(rows[0].tags == strings{"B-PER", "O"});
  CHECK_THROWS_WITH(words_in("a.jsonl", R"({"tokens": ["Ann"], "tags": []})"),
                    Catch::Contains("has 1 words, a list of as many tags was expected, not 0"));
  CHECK_THROWS_WITH(words_in("a.jsonl", R"({"tokens": ["Ann"]})"), Catch::Contains("has no \"tags\""));
  CHECK_THROWS_WITH(words_in("a.jsonl", R"({"text_a": "Ann", "label": "O"})"), Catch::Contains("has no \"tokens\""));
  for (const std::string word : {"", "a\\tb", "a\\nb", "-DOCSTART-"}) {
    CHECK_THROWS_WITH(words_in("a.jsonl", "{\"tokens\": [\"x\", \"" + word + "\"], \"tags\": [\"O\", \"O\"]}"),
                      Catch::Contains("a.jsonl:1: has \"" + word + "\" as word 2: words in columns cannot be empty"));
  }
  CHECK_THROWS_WITH(words_in("a.jsonl", R"({"tokens": "Ann", "tags": ["O"]})"),
                    Catch::Contains("\"tokens\" is \"Ann\", a list of texts was expected, the words"));
  CHECK_THROWS_WITH(words_in("a.jsonl", R"({"tokens": ["x"], "tags": ["O"], "ner_tags": ["O"]})"),
                    Catch::Contains("has both \"tags\" and \"ner_tags\""));
  CHECK_THROWS_WITH(words_in("a.jsonl", R"({"tokens": [], "tags": []})"), Catch::Contains("\"tokens\" is empty"));
  CHECK_THROWS_WITH(words_in("a.jsonl", R"({"tokens": ["a"], "text_a": "a"})"), Catch::Contains("has both \"tokens\" and \"text_a\""));
  CHECK_THROWS_WITH(words_in("a.jsonl", R"({"text_a": "a", "tags": ["O"]})"), Catch::Contains("has \"tags\" without \"tokens\""));
}

TEST_CASE("texts with labeled spans are words with tags") {
  const auto rows = words_in("a.jsonl", R"({"text_a": "Ann Lee, of (Köln) ...", "spans": [{"start": 0, "end": 7, "label": "PER"}, )"
                                        R"({"start": 13, "end": 17, "label": "LOC", "text": "Köln", "score": 0.5}], "id": 4})"
                                        "\n"
                                        R"({"text": "Bonn's mayor", "entities": [{"start": 0, "end": 4, "label": "LOC"}]})"
                                        "\n"
                                        R"({"text": "x y", "entities": []})");
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].words == strings{"Ann", "Lee", ",", "of", "(", "Köln", ")", ".", ".", "."});
  CHECK(rows[0].tags == strings{"B-PER", "I-PER", "O", "O", "O", "B-LOC", "O", "O", "O", "O"});
  CHECK(rows[0].text_a.empty());
  CHECK(rows[0].widened == 0);
  CHECK(rows[1].tags == strings{"B-LOC", "O"});  // a span that ends inside a word
  CHECK(rows[1].widened == 1);
  CHECK(rows[2].tags == strings{"O", "O"});
  const auto test = words_in(
      "a.jsonl", "{\"text\": \"Ann.\", \"spans\": [{\"start\": 0, \"end\": 3, \"label\": \"PER\"}]}\n{\"text_a\": \"Bo\"}", "test");
  CHECK(test[0].words == strings{"Ann", "."});
  CHECK(test[0].tags.empty());
  CHECK(test[1].words == strings{"Bo"});
  // who asks for no words gets the text
  CHECK(graft::parse_jsonl_row(R"({"text": "Ann.", "spans": []})", "p", 1).text_a == "Ann.");
}

TEST_CASE("spans that are not as they should be are refused") {
  const auto refuse = [](const std::string& spans, const std::string& what) {
    INFO(spans);
    CHECK_THROWS_WITH(words_in("a.jsonl", "\n{\"text_a\": \"Ann in Köln\", \"spans\": " + spans + "}"),
                      Catch::Contains("a.jsonl:2: " + what));
  };
  refuse("3", "\"spans\" is 3, a list of spans was expected");
  refuse("[3]", "\"spans\", number 1, is 3, as {\"start\": 0,");
  refuse(R"([{"start": 0, "end": 3, "label": "P"}, {"start": 0, "end": 12, "label": "P"}])",
         "\"spans\", number 2, has the end 12, a whole number from 1 to 11 was expected: characters (code points) of the text, from 0");
  refuse(R"([{"start": -1, "end": 3, "label": "P"}])", "\"spans\", number 1, has the start -1, a whole number from 0 to 10");
  refuse(R"([{"start": 3, "end": 3, "label": "P"}])", "\"spans\", number 1, has the end 3, a whole number from 4 to 11");
  refuse(R"([{"start": 0, "label": "P"}])", "\"spans\", number 1, has the end null");
  refuse(R"([{"start": 0, "end": 3}])", "\"spans\", number 1, has the label null, a name was expected");
  refuse(R"([{"start": 0, "end": 3, "label": ""}])", "\"spans\", number 1, has the label \"\", a name");
  refuse(R"([{"start": 0, "end": 3, "label": "P", "type": "x"}])", "\"spans\", number 1, has \"type\": start, end and label were expected");
  refuse(R"([{"start": 7, "end": 10, "label": "P", "text": "Köln"}])", "\"spans\", number 1, has the text \"Köln\", where \"Köl\" stands");
  refuse(R"([{"start": 0, "end": 6, "label": "P"}, {"start": 4, "end": 11, "label": "Q"}])",
         "has Q at characters 4 to 11, and another span in its word \"in\"");
  refuse(R"([{"start": 3, "end": 4, "label": "P"}])", "has P at characters 3 to 4, where no word stands");
  const auto refuse_row = [](const std::string& row, const std::string& what) {
    INFO(row);
    CHECK_THROWS_WITH(words_in("a.jsonl", row), Catch::Contains("a.jsonl:1: " + what));
  };
  refuse_row(R"({"text_a": " ", "spans": []})", "holds a text without words");
  refuse_row(R"({"text_a": "a", "spans": [], "entities": []})", "has both \"spans\" and \"entities\"");
  refuse_row(R"({"text_a": "a", "text": "a", "spans": []})", "has both \"text\" and \"text_a\"");
  refuse_row(R"({"text_a": "a", "text_b": "a", "entities": []})", "has both \"entities\" and \"text_b\"");
  refuse_row(R"({"tokens": ["a"], "spans": []})", "has both \"tokens\" and \"spans\"");
  refuse_row(R"({"spans": []})", "");
  refuse_row(R"({"text": "a"})", "has a field that graft does not know: \"text\" (here: text_a or text_b)");
}

TEST_CASE("tags that are numbers are those of the listed labels") {
  const temporary_folder folder;
  const auto read = [&](const std::string& tags, const strings& labels) {
    graft::write_file(folder / "a.jsonl", "{\"tokens\": [\"Ann\", \"x\"], \"ner_tags\": " + tags + "}\n");
    return graft::read_examples(graft::custom_task("names", task_kind::token_classification, labels), "train", folder / "a.jsonl")[0].tags;
  };
  CHECK(read("[1, 0]", {"O", "B-PER"}) == strings{"B-PER", "O"});
  CHECK(read("[1, 0]", {"1", "0"}) == strings{"1", "0"});  // which are their names
  CHECK(read("[1, 0]", {}) == strings{"1", "0"});
  CHECK(read(R"(["1", "0"])", {"O", "B-PER"}) == strings{"1", "0"});  // texts are names
  CHECK_THROWS_WITH(read("[1, 2]", {"O", "B-PER"}),
                    Catch::EndsWith("a.jsonl:1: has the tag 2 for word 2, a number from 0 to 1 was expected, of a label, or its name"));
  CHECK(read("[1.0, 0.0]", {"O", "B-PER"}) == strings{"B-PER", "O"});
  const std::string expected = ": names alone were expected, or whole numbers of labels alone";
  for (const char* labels : {"O", "1"}) {  // the one that is wrong is named, and no other
    INFO(labels);
    CHECK_THROWS_WITH(read("[0, 1.5]", {labels, "0"}),
                      Catch::EndsWith("a.jsonl:1: has the tag 1.5 for word 2, and 0 for the first" + expected));
    CHECK_THROWS_WITH(read("[0, \"B-PER\"]", {labels, "0"}),
                      Catch::EndsWith("a.jsonl:1: has the tag \"B-PER\" for word 2, and 0 for the first" + expected));
  }
  CHECK_THROWS_WITH(read("[0.5, 1]", {"O", "B-PER"}), Catch::EndsWith("a.jsonl:1: has the tag 0.5 for word 1" + expected));
  CHECK_THROWS_WITH(read("[-100, 0]", {"O", "B-PER"}), Catch::Contains("has the tag -100 for word 1"));
  CHECK_THROWS_WITH(read("[9999999999, 0]", {"O", "B-PER"}), Catch::Contains("has the tag 9999999999 for word 1"));
}

TEST_CASE("the column of the tags is a whole number") {
  const temporary_folder folder;
  graft::write_file(folder / "t.json",
                    R"({"task": "custom", "name": "n", "kind": "token_classification", "tag_column": "2", "paths": {}})");
  CHECK_THROWS_WITH(graft::read_task_config(folder / "t.json"), Catch::Contains("\"tag_column\" is \"2\", a whole number was expected"));
}

TEST_CASE("a comment with as many columns as words is refused, whoever reads it") {
  CHECK_THROWS_WITH(words_in("a.conll", "# id abc domain=en\nAnna _ _ O\n"),
                    Catch::Contains("a.conll:1: begins with a \"#\" and says something in column 2, which is \"_\" for every word"));
  const auto untagged = [](const std::string& text, int column = 0) { return words_in("a.conll", text, "test", column); };
  const std::string as_no_word =
      ", as no word before it has: comments (#) are not read: take them out; if it is a word, write the rows as a .jsonl";
  CHECK_THROWS_WITH(untagged("# newpar\nAnna O\nx B-PER\n"),
                    Catch::EndsWith("a.conll:1: begins with a \"#\" and has \"newpar\" in column 2" + as_no_word));
  CHECK_THROWS_WITH(untagged("Anna NN O\n\n# lang O\n# text Hi.\nBo NN O\n"),
                    Catch::EndsWith("a.conll:4: begins with a \"#\" and has \"Hi.\" in column 3" + as_no_word));
  CHECK_THROWS_WITH(untagged("Anna\tO\n\n# id 5\tdomain=en\nBo\tO\n"), Catch::Contains("a.conll:3: begins with a \"#\""));
  CHECK_THROWS_WITH(untagged("# text = Hi\n1\tHi\t_\tI\n"), Catch::Contains("a.conll:1: begins with a \"#\""));  // parted by spaces
  CHECK_THROWS_WITH(untagged("# a b\n\n# a b\n"), Catch::Contains("a.conll:1: begins with a \"#\""));
  CHECK_THROWS_WITH(untagged("# a O\nx NN O\n", 2), Catch::Contains("has \"a\" in column 2"));
  for (const char* words : {"# O\n1 O\n", "1 O\n\n# O\n", "#go NN\nx O\n", "x O\n# SYM\n", "# #\n1 CD\n", "x NN\n\n# B-SYM\ny NN\n",
                            "a\t0\nb\t2\n\n#\t4\nc\t6\n", "#\nx\n", "# _ O\n# _ O\nx _ O\n"})
    CHECK_NOTHROW(untagged(words));
  for (const char* words : {"# _ _ O\nx _ _ O\n", "# NN B-NP O\nx _ _ O\ny NN I-NP O\n", "# a b O\n\nx _ _ O\n"})
    CHECK_NOTHROW(words_in("a.conll", words));
}

TEST_CASE("a tag that the task does not have is named with its line, and a comment as what it is") {
  const auto t = graft::custom_task("names", task_kind::token_classification, {"B-PER", "O"});
  const auto refused = [&](const std::string& name, const std::string& text) {
    const auto rows = words_in(name, text);
    std::string message;
    try {
      graft::labeled(t, rows, std::vector<graft::features>(rows.size()), name);
    } catch (const graft::format_error& failure) {
      message = failure.what();
    }
    return message;
  };
  const std::string known = ", expected one of \"B-PER\", \"O\"", hint = "; comments (#) are not read: take them out";
  CHECK(refused("a.conll", "Anna O\n\n# newpar\nBo O\n") == "a.conll:3: label \"newpar\"" + known + hint);
  CHECK(refused("a.conll", "# O\n# Hi\nBo O\n") == "a.conll:2: label \"Hi\"" + known + hint);
  CHECK(refused("a.conll", "# id 7\tdomain=en\nBo\tO\n") == "a.conll:1: label \"domain=en\"" + known + hint);
  CHECK(refused("a.conll", "Bo O\n# SYM\n") == "a.conll:2: label \"SYM\"" + known);  // a word
  CHECK(refused("a.jsonl", R"({"tokens": ["#"], "tags": ["SYM"]})") == "a.jsonl:1: label \"SYM\"" + known);
}

TEST_CASE("tags of the training rows become the labels, in order") {
  auto t = graft::custom_task("names", task_kind::token_classification, {});
  CHECK(t.major == "entity_f1");
  const auto rows = words_in("a.conll", "x O\ny B-PER\n\nz B-LOC\n");
  CHECK(graft::with_tags_of(t, rows, "p").labels == strings{"B-LOC", "B-PER", "O"});
  CHECK_THROWS_WITH(graft::with_tags_of(t, words_in("a.conll", "x O\n"), "p"), Catch::Contains("has the tag \"O\" alone"));
  CHECK_THROWS_WITH(graft::with_tags_of(t, words_in("a.conll", "x a b O\ny a c B-PER\n\n# id 7 domain=en\nx a b O\n"), "p"),
                    "p:4: begins with a \"#\", whose tag, \"domain=en\", no other word has: comments (#) are not read: take them out, or "
                    "list \"labels\" in the task");
  CHECK_THROWS_WITH(graft::with_tags_of(t, words_in("a.conll", "x\tO\ny\tB-PER\n\n# id 7\tdomain=en\nx\tO\n"), "p"),
                    Catch::StartsWith("p:4: begins with a \"#\", whose tag, \"domain=en\", no other word has"));
  for (const char* hashes : {"# NN\nx V\ny NN\nx D\n", "# #\nx V\ny NN\n", "x # SYM\n# # SYM\ny y V\nz z N\n"})
    CHECK_NOTHROW(graft::with_tags_of(t, words_in("a.conll", hashes), "p"));               // words, and no comments
  CHECK_NOTHROW(graft::with_tags_of(t, words_in("a.conll", "# HASH\nx V\n"), "p.jsonl"));  // which has no comments
  CHECK(graft::with_tags_of(t, words_in("a.conll", "x N\ny V\n"), "p").metrics == strings{"acc"});

  const temporary_folder folder;
  const auto found = graft::with_tags_of(t, rows, "p");
  graft::write_file(folder / "a.jsonl", "{\"tokens\": [\"x\"], \"tags\": [\"O\"]}\n{\"tokens\": [\"y\"], \"ner_tags\": [1]}\n");
  const auto mixed = graft::read_examples(found, "train", folder / "a.jsonl");
  CHECK(mixed[1].tags == strings{"1"});  // of labels whose order nobody said it names none
  CHECK_THROWS_WITH(graft::with_tags_of(t, mixed, "p"), Catch::Contains("p:2: has tags that are numbers, those before are names"));
}

TEST_CASE("the first token of each word is asked, and what does not fit is left out") {
  const temporary_folder folder;
  graft_test::write_vocabulary(folder.path(), "bert", graft_test::tiny_pieces_of("bert"));
  const auto tokens = graft::tokenizer::from_folder(folder.path());
  graft::example row;
  row.words = {"a", "\u200b", "b"};
  row.tags = {"O", "O", "B-X"};
  const auto t = graft::custom_task("names", task_kind::token_classification, {"B-X", "O"});
  const std::vector<graft::example> rows{row};
  const auto set = graft::make_data_set(t, rows, "p", tokens, 16);
  REQUIRE(set.rows[0].words);
  CHECK(set.rows[0].input_ids.size() == 4);
  CHECK(set.rows[0].answering == std::vector<std::int32_t>{1, 2});
  CHECK(set.rows[0].tags == std::vector<std::int32_t>{1, 0});
  CHECK(set.rows[0].word_spans == std::vector<graft::text_span>{{0, 1}, {2, 3}});
  const auto cut = graft::make_data_set(t, rows, "p", tokens, 3);
  CHECK(cut.rows[0].input_ids.size() == 3);
  CHECK(cut.rows[0].cut_at == 1);
  graft::example inside;
  inside.words = {"a", "a.b"};  // the second of three tokens
  CHECK(graft::featurize_words(inside, tokens, 5).cut_at == 1);
  CHECK(graft::featurize_words(inside, tokens, 6).cut_at == -1);
  CHECK(cut.rows[0].tags == std::vector<std::int32_t>{1});
  const auto whole = graft::custom_task("names", task_kind::classification, {"B-X", "O"});
  CHECK_THROWS_WITH(graft::make_data_set(whole, rows, "p", tokens, 16), Catch::Contains("has \"tokens\", words, which a task of"));
  auto pair = row;
  pair.text_b = "b";
  CHECK_THROWS_WITH(graft::featurize_words(pair, tokens, 16), Catch::Contains("has two texts"));
  CHECK_THROWS_WITH(graft::featurize_words(row, tokens, 1), Catch::Contains("the special tokens alone need 2"));
}
