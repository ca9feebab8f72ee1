// Models of transformers that give tags to words: logits, tags, and the spans that its pipeline finds.

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/core/json.hpp"
#include "graft/predict/predictor.hpp"
#include "graft/predict/shared_answers.hpp"
#include "support/shared.hpp"
#include "support/thread_ranks.hpp"

namespace {

const std::string tagged_models = GRAFT_TEST_DIR "/golden/tokens/";

}  // namespace

TEST_CASE("models of every family tag words, and find spans, as transformers does") {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(tagged_models)) {
    if (!entry.is_directory()) continue;
    ++count;
    INFO(entry.path().string());
    const auto expected = graft::read_json(entry.path().string() + "/case.json");
    graft::predictor_options options;
    options.max_seq_length = 24;
    options.precision = graft::precision::f32;
    const auto model = graft::predictor::from_folder(entry.path().string(), options);
    std::vector<graft::example> rows;
    for (const auto& text : expected["texts"]) rows.emplace_back().text_a = text["text"].get<std::string>();
    for (const auto& row : expected["rows"]) rows.emplace_back().words = row["tokens"].get<std::vector<std::string>>();
    const auto answers = model.predict(rows);
    for (std::size_t i = 0; i < expected["texts"].size(); ++i) {
      INFO(rows[i].text_a);
      const auto& spans = expected["texts"][i]["spans"];
      REQUIRE(answers[i].spans.size() == spans.size());
      for (std::size_t s = 0; s < spans.size(); ++s) {
        const auto& own = answers[i].spans[s];
        CHECK(own.label == spans[s]["label"].get<std::string>());
        CHECK(own.begin == spans[s]["start"].get<graft::index>());
        CHECK(own.end == spans[s]["end"].get<graft::index>());
        CHECK(own.text == spans[s]["text"].get<std::string>());
        CHECK(own.score == Approx(spans[s]["score"].get<double>()).margin(1e-5).epsilon(0));
      }
    }
    for (std::size_t i = 0; i < expected["rows"].size(); ++i) {
      const auto& row = expected["rows"][i];
      const auto& own = answers[expected["texts"].size() + i];
      REQUIRE(own.tags.size() == row["tags"].size());
      for (std::size_t w = 0; w < own.tags.size(); ++w) {
        CHECK(own.tags[w] == (row["tags"][w].is_null() ? "" : row["tags"][w].get<std::string>()));
      }
      std::vector<double> logits;
      for (const auto& word : row["logits"]) logits.insert(logits.end(), word.begin(), word.end());
      REQUIRE(own.logits.size() == logits.size());
      for (std::size_t k = 0; k < logits.size(); ++k) CHECK(own.logits[k] == Approx(logits[k]).margin(1e-5).epsilon(0));
    }
  }
  CHECK(count >= 9);
}

TEST_CASE("several ranks find what one does") {
  const auto model = graft::predictor::from_folder(tagged_models + "bert");
  std::vector<graft::example> rows(5);
  rows[0].text_a = "Anna lives in Straßburg, near the Ill.";
  rows[1].words = {"Anna", "\u200b", "lives"};
  rows[2].text_a = "the EU";
  rows[3].words = {"in"};
  rows[4].words = std::vector<std::string>(50, "Anna");
  const auto alone = model.predict_each(rows);
  CHECK(alone[4].cut_at == graft::index{38});
  std::vector<graft::answer> shared;
  graft_test::on_ranks(2, [&](graft::rank_group& own) {
    if (own.rank() != 0) return graft::share_answers(own, model, 1);
    shared = graft::shared_answers(own, model, rows);
    graft::end_shared_answers(own);
  });
  REQUIRE(shared.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(shared[i].tags == alone[i].tags);
    CHECK(shared[i].words == alone[i].words);
    CHECK(shared[i].cut_at == alone[i].cut_at);
    REQUIRE(shared[i].spans.size() == alone[i].spans.size());
    for (std::size_t k = 0; k < alone[i].spans.size(); ++k) {
      CHECK(shared[i].spans[k].text == alone[i].spans[k].text);
      CHECK(shared[i].spans[k].score == alone[i].spans[k].score);
    }
  }
}
