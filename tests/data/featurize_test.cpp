#include "graft/data/featurize.hpp"

#include <omp.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "text/tiny_vocabularies.hpp"

using Catch::Contains;
using graft_test::g;
using graft_test::shared_path;
using ids_type = std::vector<std::int32_t>;
using strings = std::vector<std::string>;

namespace {

graft::example texts(const std::string& a, std::optional<std::string> b = std::nullopt) {
  graft::example row;
  row.text_a = a;
  row.text_b = std::move(b);
  return row;
}

graft::example ready_made(ids_type ids) {
  graft::example row;
  row.input_ids = std::move(ids);
  return row;
}

}  // namespace

TEST_CASE("texts and ready-made rows use no row that the encoder lacks") {
  auto model = graft_test::tiny_bert();
  CHECK(graft::featurize(texts("low", "low"), model, 16).token_type_ids == ids_type{0, 0, 0, 1, 1});
  model.fit({8, 0, 1});
  CHECK(graft::featurize(texts("low lower", "low"), model, 16).token_type_ids == ids_type(7, 0));
  CHECK_THROWS_WITH(graft::featurize(texts("low!"), model, 16),
                    "\"!\" in the text has id 10, the encoder has rows for 8 alone: do the vocabulary and the model belong together?");
  CHECK_THROWS_WITH(graft::featurize(ready_made({8}), model, 16), "\"input_ids\" holds 8, the vocabulary has ids 0 to 7");
  auto row = ready_made({1, 2});
  row.token_type_ids = {0, 1};
  CHECK(graft::featurize(row, 9, 16).token_type_ids == ids_type{0, 1});
  CHECK_THROWS_WITH(graft::featurize(row, model, 16), "\"token_type_ids\" holds 1, the encoder has segments 0 to 0");
  row.token_type_ids = {0, -1};
  CHECK_THROWS_WITH(graft::featurize(row, 9, 16), Contains("\"token_type_ids\" holds -1"));
}

TEST_CASE("RoBERTa features: two separators between and, as nlprunners trained, after a single text, or one, as transformers") {
  const auto model = graft_test::tiny_roberta();
  const auto tokens = [&](const graft::example& row, graft::index length = 128) {
    const auto result = graft::featurize(row, model, length);
    CHECK(result.token_type_ids == ids_type(result.input_ids.size(), 0));
    CHECK(result.label == -1);
    return graft_test::tokens_of(model, result.input_ids);
  };
  CHECK(tokens(texts(" low low\n")) == strings{"<s>", "low", g + "low", "</s>", "</s>"});
  CHECK(graft_test::tokens_of(model, graft::featurize(texts("low low"), model, 3, true).input_ids) == strings{"<s>", "low", "</s>"});
  CHECK(graft::featurize(texts("low", "new"), model, 9, true).input_ids == graft::featurize(texts("low", "new"), model, 9).input_ids);
  CHECK(tokens(texts("low", "\u3000new ")) == strings{"<s>", "low", "</s>", "</s>", "n", "ew", "</s>"});
  CHECK(tokens(texts("low", "")) == strings{"<s>", "low", "</s>", "</s>", "</s>"});
  CHECK(tokens(texts("")) == strings{"<s>", "</s>", "</s>"});
  CHECK(tokens(texts("low low low"), 5) == strings{"<s>", "low", g + "low", "</s>", "</s>"});
  CHECK(tokens(texts("low"), 3) == strings{"<s>", "</s>", "</s>"});
  CHECK_THROWS_WITH(tokens(texts("low"), 2), Contains("max_seq_length is 2, the special tokens alone need 3"));
  CHECK_THROWS_WITH(tokens(texts("low", "new"), 3), Contains("the special tokens alone need 4"));
}

TEST_CASE("BERT features: one separator, segment 1 for the second text") {
  const auto model = graft_test::tiny_bert();
  const auto pair = graft::featurize(texts("lower", "low!"), model, 128);
  CHECK(graft_test::tokens_of(model, pair.input_ids) == strings{"[CLS]", "low", "##er", "[SEP]", "low", "!", "[SEP]"});
  CHECK(pair.token_type_ids == ids_type{0, 0, 0, 0, 1, 1, 1});
  const auto single = graft::featurize(texts("lower"), model, 3);
  CHECK(graft_test::tokens_of(model, single.input_ids) == strings{"[CLS]", "low", "[SEP]"});
  CHECK(single.token_type_ids == ids_type{0, 0, 0});
}

TEST_CASE("the longer of a pair loses its last token, the first on a tie") {
  const auto lengths = [](std::size_t a, std::size_t b, std::size_t length) {
    ids_type first(a), second(b);
    graft::truncate_pair(first, second, length);
    return std::pair(first.size(), second.size());
  };
  CHECK(lengths(3, 3, 5) == std::pair<std::size_t, std::size_t>(2, 3));
  CHECK(lengths(3, 3, 4) == std::pair<std::size_t, std::size_t>(2, 2));
  CHECK(lengths(9, 2, 6) == std::pair<std::size_t, std::size_t>(4, 2));
  CHECK(lengths(2, 9, 5) == std::pair<std::size_t, std::size_t>(2, 3));
  CHECK(lengths(2, 2, 0) == std::pair<std::size_t, std::size_t>(0, 0));
  CHECK(lengths(1, 2, 3) == std::pair<std::size_t, std::size_t>(1, 2));
  ids_type first{1, 2, 3}, second{4, 5};
  graft::truncate_pair(first, second, 3);
  CHECK(first == ids_type{1});
  CHECK(second == ids_type{4, 5});
}

TEST_CASE("ready-made ids are checked and kept") {
  const auto model = graft_test::tiny_roberta();
  const auto row = graft::featurize(ready_made({0, 269, 2}), model, 3);
  CHECK(row.input_ids == ids_type{0, 269, 2});
  CHECK(row.token_type_ids == ids_type{0, 0, 0});
  CHECK(graft::featurize(ready_made({0, 9}), 10, 2).input_ids == ids_type{0, 9});
  CHECK_THROWS_WITH(graft::featurize(ready_made({0, 10}), 10, 2), "\"input_ids\" holds 10, the vocabulary has ids 0 to 9");
  CHECK_THROWS_WITH(graft::featurize(ready_made({-1}), 10, 2), Contains("holds -1"));
  CHECK_THROWS_WITH(graft::featurize(ready_made({1, 1, 1}), 10, 2),
                    Contains("has 3 \"input_ids\", the longest allowed (max_seq_length) is 2"));
  CHECK_THROWS_WITH(graft::featurize(texts("low"), 10, 2), Contains("no tokenizer for its text"));
}

TEST_CASE("all rows: the same with any number of threads, and the first bad row is named") {
  const auto model = graft_test::tiny_roberta();
  std::vector<graft::example> rows;
  for (int i = 0; i < 2000; ++i)
    rows.push_back(texts(std::string(static_cast<std::size_t>(i % 50), 'a') + " lower", "new low " + std::to_string(i)));
  graft::index reported = 0;
  const auto one = graft::featurize_all(rows, model, 32, 1, [&](graft::index done, graft::index all) {
    CHECK(done >= reported);
    CHECK(all == 2000);
    reported = done;
  });
  CHECK(reported == 2000);
  const auto two = graft::featurize_all(rows, model, 32, 2);
  REQUIRE(one.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    REQUIRE(one[i].input_ids == two[i].input_ids);
    REQUIRE(one[i].input_ids == graft::featurize(rows[i], model, 32).input_ids);
  }
  rows[1990].text_a = "\xff";
  rows[1500].text_b = "ab\xff";
  rows[1501].text_a = "\xff";
  for (const int threads : {1, 2}) {
    try {
      graft::featurize_all(rows, model, 32, threads);
      FAIL("a row with invalid UTF-8 was taken");
    } catch (const graft::row_error& failure) {
      CHECK(failure.row() == 1500);
      CHECK_THAT(failure.what(), Contains("row 1500: text is not valid UTF-8 at byte 2"));
    }
  }
  const std::vector<graft::example> ids{ready_made({1}), ready_made({7})};
  CHECK(graft::featurize_all(ids, 8, 4, 2)[1].input_ids == ids_type{7});
  CHECK_THROWS_WITH(graft::featurize_all(ids, 7, 4, 2), Contains("row 1: \"input_ids\" holds 7"));
  CHECK_THROWS_AS(graft::featurize_all(ids, 8, 4, 2, [](graft::index, graft::index) { throw 1; }), int);
}

TEST_CASE("as many threads as asked for share the rows, and progress is told from the calling one") {
  const std::vector<graft::example> rows(20'000, ready_made({1}));
  const auto caller = std::this_thread::get_id();
  for (const int threads : {1, 3}) {
    int most = 0;
    const auto progress = [&](graft::index, graft::index) {
      CHECK(std::this_thread::get_id() == caller);
      most = std::max(most, omp_get_num_threads());
    };
    // a calling thread that wakes up last, on a busy machine, finds nothing left to do and tells of nothing: then again
    for (int tries = 0; tries < 100 && most != threads; ++tries) {
      CHECK(graft::featurize_all(rows, 8, 4, threads, progress).size() == rows.size());
    }
    CHECK(most == threads);
  }
}

TEST_CASE("real rows give the reference's ids, tokens, lengths and segments") {
  std::size_t checked = 0;
  for (const std::string name : {"roberta-base", "bert-base-uncased"}) {
    const auto folder = shared_path("golden/tokenizer/" + name);
    if (folder.empty()) return;
    const auto model = graft::tokenizer::from_folder(shared_path("data/tokenizer/" + name));
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      const auto golden = graft::read_json(file.path().string());
      for (const auto& row : golden["examples"]) {
        const auto& raw = row["raw"];
        const bool rte = raw.contains("premise");
        auto example = texts(raw[rte ? "premise" : "text_a"]);
        if (rte || raw.contains("text_b")) example.text_b = raw[rte ? "hypothesis" : "text_b"].get<std::string>();
        const auto result = graft::featurize(example, model, golden["max_seq_length"].get<graft::index>());
        INFO(file.path() << ": " << raw);
        CHECK(graft_test::tokens_of(model, result.input_ids) == row["tokens"].get<strings>());
        auto ids = result.input_ids;
        auto segments = result.token_type_ids;
        ids_type mask(ids.size(), 1);
        const auto padded = golden["max_seq_length"].get<std::size_t>();
        ids.resize(padded, model.pad_id());
        segments.resize(padded, 0);
        mask.resize(padded, 0);
        CHECK(ids == row["input_ids"].get<ids_type>());
        CHECK(segments == row["segment_ids"].get<ids_type>());
        CHECK(mask == row["input_mask"].get<ids_type>());
        ++checked;
      }
    }
  }
  CHECK(checked == 180);
}
