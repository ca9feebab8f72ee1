// Rows answered as they come: the same bits in whatever window, in order, with what is bad where it belongs.

#include "graft/predict/answer_stream.hpp"

#include <catch2/catch.hpp>
#include <list>
#include <ranges>
#include <stdexcept>

#include "support/shared.hpp"
#include "support/tiny_folder.hpp"

using graft::answer;
using graft::answer_stream;
using graft::example;

static_assert(std::ranges::input_range<answer_stream>);

namespace {

const graft::predictor& streaming_model() {
  static const graft_test::temporary_folder folder;
  static const graft::predictor model = [] {
    // rows of a width that is no multiple of a cache line lie differently in each batch, and are summed differently
    graft_test::write_tiny_folder(folder / "hf", "bert", {{"hidden_size", 16}, {"intermediate_size", 32}});
    return graft::predictor::from_folder(folder / "hf");
  }();
  return model;
}

/// COUNT rows of mixed lengths, every seventh the same.
std::vector<example> mixed_rows(int count) {
  std::vector<example> rows;
  for (int i = 0; i < count; ++i) {
    example& row = rows.emplace_back();
    row.line = static_cast<std::uint64_t>(i + 1);
    for (int k = 0; k < (i % 7 == 0 ? 3 : 1 + i * 31 % 11); ++k)
      row.text_a += std::string(1, static_cast<char>('a' + (i % 7 == 0 ? k : (i + k) % 9))) + " ";
  }
  return rows;
}

std::vector<std::vector<double>> states_of(const std::vector<answer>& answers) {
  std::vector<std::vector<double>> states;
  for (const answer& a : answers) states.push_back(a.hidden_state);
  return states;
}

}  // namespace

TEST_CASE("a stream gives the bits of single predictions, in order, whatever the window, the batch and the threads") {
  const auto rows = mixed_rows(300);
  std::vector<answer> alone;
  for (const example& row : rows) alone.push_back(streaming_model().predict(std::vector{row})[0]);
  const std::list<example> list(rows.begin(), rows.end());
  for (const graft::index batch_size : {0, 1, 5}) {
    for (const int threads : {1, 2}) {
      std::vector<answer> streamed;
      for (const answer& a : answer_stream(streaming_model(), list, {.batch_size = batch_size, .threads = threads})) streamed.push_back(a);
      CHECK(states_of(streamed) == states_of(alone));
      CHECK(streamed.back().line == 300);
    }
  }
  CHECK(states_of(streaming_model().predict(rows)) == states_of(alone));
  CHECK(states_of(streaming_model().predict(rows, 3, 2)) == states_of(alone));
}

TEST_CASE("rows are answered as soon as the next one is to be waited for, and no more of them are read") {
  const auto rows = mixed_rows(5);
  std::size_t given = 0;
  answer_stream stream(streaming_model(),
                       [&](example& row) {
                         if (given == rows.size()) return false;
                         row = rows[given++];
                         return true;
                       },
                       {.ready = [&] { return given != 2; }});
  CHECK(stream.next_window().size() == 2);
  CHECK(given == 2);
  answer next;
  CHECK(stream.next(next));
  CHECK(next.line == 3);
  CHECK(stream.next_window().size() == 2);  // the rest of that window
  CHECK(stream.next_window().empty());
  CHECK_FALSE(stream.next(next));
}

TEST_CASE("a bad row ends a stream behind all before it, or is an answer with an error") {
  auto rows = mixed_rows(6);
  rows[3].adapter = "nobody";
  rows[4].error = "was eaten";
  std::vector<answer> before;
  answer_stream ends(streaming_model(), rows);
  answer a;
  for (int i = 0; i < 3; ++i) REQUIRE(ends.next(a));
  CHECK_THROWS_WITH(ends.next(a), Catch::StartsWith("row 3: there is no adapter \"nobody\""));
  CHECK_FALSE(ends.next(a));

  std::vector<std::string> errors;
  for (const answer& one : answer_stream(streaming_model(), rows, {.keep_bad_rows = true})) errors.push_back(one.error);
  REQUIRE(errors.size() == 6);
  CHECK(errors[2].empty());
  CHECK_THAT(errors[3], Catch::StartsWith("there is no adapter"));
  CHECK(errors[4] == "was eaten");
  CHECK(errors[5].empty());
}

TEST_CASE("what a source throws comes behind the answers to the rows before, and a stop ends the stream") {
  int given = 0;
  answer_stream fails(streaming_model(), [&](example& row) {
    if (given++ == 2) throw std::runtime_error("gone");
    row = mixed_rows(1)[0];
    return true;
  });
  answer a;
  CHECK(fails.next(a));
  CHECK(fails.next(a));
  CHECK_THROWS_WITH(fails.next(a), "gone");
  CHECK_FALSE(fails.next(a));

  const std::atomic<bool> stop = true;
  const auto rows = mixed_rows(3);
  CHECK(answer_stream(streaming_model(), rows, {.stop = &stop}).next_window().empty());
}
