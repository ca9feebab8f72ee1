// Words with tags in columns, and as JSON lines.

#include "graft/data/conll.hpp"

#include <catch2/catch.hpp>

#include "graft/data/data_set.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/featurize.hpp"
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

TEST_CASE("the column of the tags is a whole number") {
  const temporary_folder folder;
  graft::write_file(folder / "t.json", R"({"task": "custom", "name": "n", "kind": "token_classification", "tag_column": "2", "paths": {}})");
  CHECK_THROWS_WITH(graft::read_task_config(folder / "t.json"), Catch::Contains("\"tag_column\" is \"2\", a whole number was expected"));
}

TEST_CASE("tags of the training rows become the labels, in order") {
  auto t = graft::custom_task("names", task_kind::token_classification, {});
  CHECK(t.major == "entity_f1");
  const auto rows = words_in("a.conll", "x O\ny B-PER\n\nz B-LOC\n");
  CHECK(graft::with_tags_of(t, rows, "p").labels == strings{"B-LOC", "B-PER", "O"});
  CHECK_THROWS_WITH(graft::with_tags_of(t, words_in("a.conll", "x O\n"), "p"), Catch::Contains("has the tag \"O\" alone"));
  CHECK(graft::with_tags_of(t, words_in("a.conll", "x N\ny V\n"), "p").metrics == strings{"acc"});
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
  CHECK(set.rows[0].places == std::vector<graft::text_span>{{0, 1}, {2, 3}});
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
