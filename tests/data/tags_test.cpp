// Entities of tags, as conlleval and seqeval read them; words of a text.

#include "graft/data/tags.hpp"

#include <catch2/catch.hpp>

using graft::tagged_entity;
using strings = std::vector<std::string>;

TEST_CASE("labels mark entities, or they are plain tags") {
  CHECK(graft::marks_entities(strings{"O", "B-PER", "I-PER"}));
  CHECK(graft::marks_entities(strings{"E-X", "S-X", "I-X", "B-X"}));
  CHECK(graft::marks_entities(strings{"O", "B", "I"}));
  CHECK_FALSE(graft::marks_entities(strings{"NOUN", "VERB"}));
  CHECK_FALSE(graft::marks_entities(strings{"O", "PER"}));
  CHECK_FALSE(graft::marks_entities(strings{"O", "BPER"}));
  CHECK_FALSE(graft::marks_entities(strings{"O"}));
  CHECK_FALSE(graft::marks_entities(strings{"", "B-X"}));
}

TEST_CASE("tags mark entities, also where no scheme allows them") {
  using all = std::vector<tagged_entity>;
  CHECK(graft::entities_of(strings{}) == all{});
  CHECK(graft::entities_of(strings{"B-PER", "I-PER", "O", "B-LOC"}) == all{{"PER", 0, 2}, {"LOC", 3, 4}});
  CHECK(graft::entities_of(strings{"B-X", "B-X", "I-X"}) == all{{"X", 0, 1}, {"X", 1, 3}});
  CHECK(graft::entities_of(strings{"I-X", "I-X", "I-Y"}) == all{{"X", 0, 2}, {"Y", 2, 3}});         // IOB1
  CHECK(graft::entities_of(strings{"S-X", "B-X", "I-X", "E-X"}) == all{{"X", 0, 1}, {"X", 1, 4}});  // BIOES
  CHECK(graft::entities_of(strings{"O", "E-X", "I-X", "E-X"}) == all{{"X", 1, 2}, {"X", 2, 4}});
  CHECK(graft::entities_of(strings{"B-X-Y", "I-X-Y", "B", "I"}) == all{{"X-Y", 0, 2}, {"_", 2, 4}});
}

TEST_CASE("plain tags mark runs, but for O") {
  CHECK(graft::marked_by(strings{"NOUN", "NOUN", "O", "NOUN", "VERB"}, false) ==
        std::vector<tagged_entity>{{"NOUN", 0, 2}, {"NOUN", 3, 4}, {"VERB", 4, 5}});
}

TEST_CASE("words stand between white space, punctuation around them apart") {
  const auto words = [](const std::string& text) {
    std::vector<std::pair<int, int>> all;
    for (const auto& [begin, end] : graft::words_of(text)) all.emplace_back(begin, end);
    return all;
  };
  using spans = std::vector<std::pair<int, int>>;
  CHECK(words("") == spans{});
  CHECK(words(" \t\n").empty());
  CHECK(words("Ann, don't!") == spans{{0, 3}, {3, 4}, {5, 10}, {10, 11}});
  CHECK(words("(é)  ...") == spans{{0, 1}, {1, 2}, {2, 3}, {5, 6}, {6, 7}, {7, 8}});
  CHECK(words("U.S. x") == spans{{0, 3}, {3, 4}, {5, 6}});
}
