// The bundled example's sentences and its byte-pair encoding: what the quickstart learns from must be sound.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <sstream>
#include <string>

#include "byte_pair_trainer.hpp"
#include "example_sentences.hpp"
#include "graft/text/tokenizer.hpp"
#include "support/shared.hpp"

namespace {

/// The largest distance, in standard deviations, between the label's rate over all pairs and over those whose text has some word.
template <class Draw, class Text>
double most_telling_word(Draw&& draw, const std::string& label, Text&& text) {
  example::dice roll(7, 0);
  const int pairs = 20000;
  int labeled = 0;
  std::map<std::string, std::pair<int, int>> words;  // pairs with it, and those with the label
  for (int i = 0; i < pairs; ++i) {
    const auto p = draw(roll);
    const int hit = p.label == label;
    labeled += hit;
    std::map<std::string, bool> seen;
    std::istringstream stream(text(p));
    for (std::string word; stream >> word;) {
      if (!seen.emplace(word, true).second) continue;
      ++words[word].first;
      words[word].second += hit;
    }
  }
  const double rate = static_cast<double>(labeled) / pairs;
  CHECK(rate == Approx(0.5).margin(0.02));
  double most = 0;
  for (const auto& [word, counts] : words) {
    const double expected = rate * counts.first;
    most = std::max(most, std::abs(counts.second - expected) / std::sqrt(expected * (1 - rate)));
  }
  return most;
}

}  // namespace

TEST_CASE("No word of a hypothesis tells the label") {
  // 150 words: the largest of as many standard normals stays below 4.5 but once in a thousand draws.
  CHECK(most_telling_word(example::entailment_pair, "entailment", [](const auto& p) { return p.b; }) < 4.5);
  CHECK(most_telling_word(example::paraphrase_pair, "1", [](const auto& p) { return p.b; }) < 4.5);
}

TEST_CASE("A fact in words: order, voice, synonyms, kinds, negation") {
  example::dice roll(3, 0);
  example::fact f = example::random_fact(roll, 1.0);
  while (f.social) f = example::random_fact(roll, 1.0);
  f.slots = {0, 0, 0, 1, 0, 0, 0};
  CHECK(example::sentence(f, {}) == "Anna bought three small hammers in the garden on Monday.");
  CHECK(example::sentence(f, {true, true, true, true}) == "On Monday, three little hammers were purchased by Anna in the garden.");
  f.general = f.negated = true;
  CHECK(example::sentence(f, {}) == "Anna did not buy three small tools in the garden on Monday.");
}

TEST_CASE("The trained encoding makes one token of every word, and the library's tokenizer reads it") {
  example::dice roll(5, 0);
  std::map<std::string, long> words;
  for (int i = 0; i < 2000; ++i) example::count_words(example::entailment_pair(roll).a, words);
  const auto encoding = example::train_byte_pairs(words, 2000);
  CHECK(encoding.tokens.size() == 4 + 256 + encoding.merges.size() + 1);

  const graft_test::temporary_folder folder;
  encoding.write(folder.path());
  const auto tokenizer = graft::tokenizer::from_folder(folder.path());
  CHECK(tokenizer.cls_id() == 0);
  CHECK(tokenizer.pad_id() == 1);
  CHECK(tokenizer.sep_id() == 2);
  CHECK(tokenizer.mask_id() == static_cast<std::int32_t>(encoding.tokens.size()) - 1);
  for (const auto& [word, count] : words) {
    INFO("word '" << word << "'");
    CHECK(tokenizer.encode(word).size() == 1);
  }
}
