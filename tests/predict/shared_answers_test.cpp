// Several ranks, here threads, answer what one does, in order.

#include "graft/predict/shared_answers.hpp"

#include <atomic>
#include <catch2/catch.hpp>

#include "graft/predict/answer_stream.hpp"
#include "support/shared.hpp"
#include "support/thread_ranks.hpp"
#include "support/tiny_folder.hpp"

namespace {

/// Rows of texts, pairs and ids, one of which cannot be read.
std::vector<graft::example> rows_of_all_kinds() {
  std::vector<graft::example> rows;
  for (int i = 0; i < 200; ++i) {
    graft::example& row = rows.emplace_back();
    row.line = static_cast<std::uint64_t>(i + 1);
    if (i % 5 == 0) {
      row.input_ids.assign(static_cast<std::size_t>(2 + i % 3), 5 + i % 7);
      continue;
    }
    for (int k = 0; k <= i % 9; ++k) row.text_a += std::string(1, static_cast<char>('a' + (i + k) % 9)) + " ";
    if (i % 4 == 0) row.text_b = "a b";
  }
  rows[7].adapter = "who";
  return rows;
}

bool same_answers(const std::vector<graft::answer>& a, const std::vector<graft::answer>& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i)
    same = a[i].hidden_state == b[i].hidden_state && a[i].error == b[i].error && a[i].line == b[i].line && a[i].adapter == b[i].adapter;
  return same;
}

}  // namespace

TEST_CASE("several ranks answer what one does, and stop where any of them is asked to") {
  const graft_test::temporary_folder folder;
  graft_test::write_tiny_folder(folder / "hf", "bert", {{"hidden_size", 16}, {"intermediate_size", 32}});
  const auto model = graft::predictor::from_folder(folder / "hf");
  const auto rows = rows_of_all_kinds();
  const auto alone = model.predict_each(rows);
  REQUIRE_FALSE(alone[7].error.empty());
  for (const int ranks : {1, 2, 3, 7}) {
    INFO(ranks << " ranks");
    std::vector<graft::answer> streamed, few;
    graft_test::on_ranks(ranks, [&](graft::rank_group& own) {
      if (own.rank() != 0) return graft::share_answers(own, model, 1);
      graft::answer_stream stream(model, rows, {.batch_size = 3, .threads = 1, .keep_bad_rows = true, .group = &own});
      for (graft::answer a; stream.next(a);) streamed.push_back(a);
      few = graft::shared_answers(own, model, std::span(rows).first(2));
      graft::end_shared_answers(own);
    });
    CHECK(same_answers(streamed, alone));
    CHECK(same_answers(few, {alone[0], alone[1]}));
  }
  const std::atomic<bool> stop = true;
  graft_test::on_ranks(3, [&](graft::rank_group& own) {
    if (own.rank() != 0) return graft::share_answers(own, model, 1, own.rank() == 2 ? &stop : nullptr);
    graft::answer_stream stream(model, rows, {.threads = 1, .keep_bad_rows = true, .group = &own});
    const bool none = stream.next_window().empty(), stopped = stream.stopped();
    graft::end_shared_answers(own);
    if (!none || !stopped) throw graft::error("was not stopped");
  });
}
