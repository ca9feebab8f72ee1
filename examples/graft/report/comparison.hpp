#pragma once
// Whether one setting is better than another, or was luckier with the validation rows.

#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/types.hpp"
#include "graft/data/example.hpp"
#include "graft/data/tasks.hpp"
#include "report/finished_runs.hpp"

namespace graft::program {

/// How much more one setting scores than another: of the means over their runs, on the validation rows and on rows drawn from them with
/// replacement, the same for both (the paired bootstrap).
struct score_difference {
  double value = 0;
  double low = 0, high = 0;  // 95 of 100 draws lie between
  double p = 1;              // twice the share of draws on zero's other side, at most 1
};

/// The validation rows of a task with the answers of runs, as the runs stored them.
class stored_answers {
 public:
  /// Reads the validation rows' labels of the task configuration at PATH; of tags for words they may be the training rows'.
  /// @throws format_error  as read_task_config and read_examples
  explicit stored_answers(const std::string& path);

  /// Adds SETTING's answers, val_preds.csv of each run; the place for `difference`.
  /// @throws format_error  a file that is not there, is no table of numbers, or has other rows or columns than the task; of tags for words
  ///   also where some word has no answer, since none of its tokens was left: which one, the run did not store
  std::size_t add(const run_setting& setting);

  /// Of settings A and B, over DRAWS draws, which depend on nothing but the number of rows.
  score_difference difference(std::size_t a, std::size_t b, std::int64_t draws) const;

 private:
  double mean_score(std::size_t setting, const std::vector<std::size_t>& rows) const;
  void draw(std::int64_t draws) const;

  task task_;
  std::vector<features> rows_;
  std::vector<index> begins_;  // of each row's answers, as in answer_offsets()
  std::vector<std::vector<matrix<double>>> logits_;
  mutable std::vector<std::vector<double>> drawn_;  // of each setting, the scores of all draws, so far
};

}  // namespace graft::program
