// Embeddings in C++: the same as the program's, streamed, with adapters around the encoder.

#include "graft/predict/embedder.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/predict/answer_stream.hpp"

TEST_CASE("an embedder gives what sentence-transformers gives, at once and as a stream") {
  const std::string folder = GRAFT_TEST_DIR "/golden/embeddings/mean__normalized";
  const graft::embedder model(folder, {}, {.precision = graft::precision::f32});
  const auto expected = graft::read_json(folder + "/case.json");
  const auto texts = expected["texts"].get<std::vector<std::string>>();
  const auto vectors = model.embed(texts, 0, 1);
  REQUIRE(vectors.size() == texts.size());
  CHECK(model.size() == 8);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (std::size_t k = 0; k < 8; ++k) CHECK(vectors[i][k] == Approx(expected["embeddings"][i][k].get<double>()).margin(2e-6).epsilon(0));
  }
  std::size_t next = 0;
  const auto next_text = [&](graft::example& row) {
    if (next == texts.size()) return false;
    row.text_a = texts[next++];
    return true;
  };
  std::size_t i = 0;
  for (const graft::answer& answer : graft::answer_stream(model.model(), next_text)) CHECK(answer.embedding == vectors[i++]);
  CHECK(i == texts.size());
  CHECK(graft::cosine_similarity(vectors[0], vectors[0]) == Approx(1));
  CHECK_THROWS_AS(graft::cosine_similarity(vectors[0], std::vector<float>(3)), graft::shape_error);
}

TEST_CASE("what was tuned stands in an embedding, with or without its head") {
  const std::string golden = GRAFT_TEST_DIR "/golden";
  const graft::trunk_files trunk{golden + "/model/model.safetensors", golden + "/model/config.json", ""};
  graft::embedding_options first;
  first.poolings = {graft::pooling::cls};
  graft::predictor embeds(trunk, {.precision = graft::precision::f32, .embedding = first});
  for (const std::string name : {"adapterhub_legacy", "adapterhub_double", "peft_lora"}) embeds.add(name, golden + "/exchange/" + name);
  std::vector<graft::example> rows(4);
  const std::string names[] = {"none", "adapterhub_legacy", "adapterhub_double", "peft_lora"};
  for (std::size_t i = 0; i < 4; ++i) {
    rows[i].input_ids = {0, 5, 9, 2};
    rows[i].adapter = names[i];
  }
  const auto answers = embeds.predict(rows);
  const auto bare = graft::predictor(trunk, {.precision = graft::precision::f32}).predict(std::vector{rows[0]})[0].hidden_state;
  REQUIRE(bare.size() == answers[0].embedding.size());
  for (std::size_t k = 0; k < bare.size(); ++k) CHECK(answers[0].embedding[k] == static_cast<float>(bare[k]));
  for (std::size_t i = 1; i < 4; ++i) CHECK(answers[i].embedding != answers[0].embedding);
  CHECK(answers[1].label.empty());
}
