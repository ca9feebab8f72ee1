#pragma once
// What an evaluation shows beside its metrics: who is taken for whom, how well each class is found, and which rows are answered worst.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graft/core/json_fwd.hpp"
#include "graft/core/types.hpp"
#include "graft/data/example.hpp"
#include "graft/data/tasks.hpp"

namespace graft {

/// Of one class, or an average: precision = tp / (tp + fp), recall = tp / (tp + fn), f1 = 2 tp / (2 tp + fp + fn); 0 where there is nothing
/// to divide by. Support: the rows that are of it, tp + fn.
struct class_scores {
  double precision = 0, recall = 0, f1 = 0;
  std::uint64_t support = 0;
};

/// Of tags that mark entities (data/tags.hpp) the classes are the types of entities that are there or were found, and their supports the
/// entities that are there; of other tags for words, rows are words.
/// Source: sklearn.metrics.confusion_matrix and precision_recall_fscore_support(zero_division=0), of all classes of the task; seqeval's
/// classification_report.
/// Tested: tests/train/class_report_test.cpp
struct class_report {
  std::vector<std::string> names;                     // of the classes: the task's labels, in order, or types of entities
  std::vector<std::vector<std::uint64_t>> confusion;  // [class of the row][answer]; of several labels at once, and entities, none
  std::vector<class_scores> classes;
  class_scores micro, macro, weighted;  // micro: of all classes together; of one label a row that is the accuracy
};

/// That of LOGITS for ROWS of T.
/// @param logits  (B, C), or (words, C)      @param rows  (B), labeled
/// @throws config_error  T is a regression, or a row has no label of it    @throws shape_error  other than B or C
class_report report_classes(const task& t, const_view<double> logits, std::span<const features> rows);

/// The loss of each of ROWS alone, as task_loss has it; NaN where a logit is not finite, 0 where no word is asked.
std::vector<double> row_losses(const task& t, const_view<double> logits, std::span<const features> rows);

/// One row, and how it was answered.
struct worst_row {
  std::size_t row = 0;  // from 0
  double loss = 0;
  std::string wanted, predicted;  // labels, several with commas between, or numbers; tags with spaces between
};

/// The MOST rows with the highest loss, the highest first, of equal ones the first row first; NaN is highest.
std::vector<worst_row> worst_rows(const task& t, const_view<double> logits, std::span<const features> rows, std::size_t most);

/// {"labels": ["no", "yes"], "confusion": [[4, 1], [0, 5]], "classes": [{"label": "no", "precision": ..., "recall": ..., "f1": ...,
/// "support": ...}, ...], "micro": {...}, "macro": {...}, "weighted": {...}}; no "confusion" where there is none.
ordered_json report_json(const class_report& report);

/// [{"row": 3, "loss": 2.5, "label": "no", "prediction": "yes"}, ...]; rows from 0.
ordered_json worst_rows_json(std::span<const worst_row> rows);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/class_report-inl.hpp"  // IWYU pragma: export
#endif
