#include <catch2/catch.hpp>
#include <sstream>

#include "graft/core/json.hpp"
#include "program/run.hpp"

using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

/// Letters a, b and the space (written U+0120), and two merges.
void write_small_vocabulary(const temporary_folder& folder) {
  graft::write_file(folder / "vocab.json",
                    R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"a":4,"b":5,"Ġ":6,"ab":7,"Ġab":8,"<":9,"s":10,">":11,"<mask>":12})");
  graft::write_file(folder / "merges.txt", "#version: 0.2\na b\nĠ ab\n");
}

}  // namespace

TEST_CASE("tokenize prints a line of ids, or of tokens, for each line") {
  const temporary_folder folder;
  write_small_vocabulary(folder);
  const std::string text = "ab ab\n\n b<s>\nba";
  const auto ids = run_graft({"tokenize", "--model_tokenizer_path", folder.path()}, text);
  CHECK(ids.exit_code == 0);
  CHECK(ids.err.empty());
  CHECK(ids.out == "7 8\n\n6 5 9 10 11\n5 4\n");  // neither stripped nor are special tokens looked for
  const auto tokens = run_graft({"tokenize", "--tokens", "--model_tokenizer_path", folder.path()}, text);
  CHECK(tokens.out == "ab Ġab\n\nĠ b < s >\nb a\n");
}

TEST_CASE("tokenize names the line that is not UTF-8, and a folder without vocabulary") {
  const temporary_folder folder;
  const auto none = run_graft({"tokenize", "--model_tokenizer_path", folder.path()}, "a\n");
  CHECK(none.exit_code == 1);
  CHECK_THAT(none.err, Catch::Contains("holds neither vocab.json + merges.txt nor vocab.txt"));
  write_small_vocabulary(folder);
  const auto bytes = run_graft({"tokenize", "--model_tokenizer_path", folder.path()}, "a\n\xff\n");
  CHECK(bytes.exit_code == 1);
  CHECK_THAT(bytes.err, Catch::StartsWith("graft: standard input:2: "));
  CHECK(is_one_line_error(bytes.err));
  CHECK(is_one_line_error(none.err));
}

TEST_CASE("tokenize gives the ids of the tokenizers library for awkward text") {
  const std::string vectors = graft_test::shared_path("golden/tokenizer/unicode.json");
  if (vectors.empty()) return;
  const auto rows = graft::read_json(vectors);
  for (const char* model : {"roberta-base", "bert-base-uncased", "bert-base-cased"}) {
    const std::string folder = graft_test::shared_path("data/tokenizer/" + std::string(model));
    if (folder.empty()) continue;
    std::string text;
    std::string expected;
    for (const auto& row : rows) {
      const auto line = row.at("text").get<std::string>();
      if (!row.contains(model) || line.find('\n') != std::string::npos) continue;
      text += line + '\n';
      std::string ids;
      for (const auto& id : row.at(model)) ids += (ids.empty() ? "" : " ") + id.dump();
      expected += ids + '\n';
    }
    CAPTURE(model);
    CHECK(run_graft({"tokenize", "--model_tokenizer_path", folder}, text).out == expected);
  }
}
