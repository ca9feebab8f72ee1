#pragma once
// Scores of predictions, with the values that scikit-learn and scipy give.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graft/core/json_fwd.hpp"
#include "graft/core/types.hpp"
#include "graft/data/example.hpp"
#include "graft/data/tasks.hpp"
#include "graft/train/training_reports.hpp"

namespace graft {

namespace detail {

double dot(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace detail

/// The share of rows whose predicted class is the wanted one.
double accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> wanted);

/// F1 of class 1:  2 tp / (2 tp + fp + fn), and 0 when class 1 is neither predicted nor wanted.
/// Source: sklearn.metrics.f1_score(average="binary", zero_division=0).
double f1_score(std::span<const std::int32_t> predicted, std::span<const std::int32_t> wanted);

/// Matthews correlation of any number of classes, with p_k, t_k the counts of class k predicted and wanted, c right ones of n:
/// (c n - sum p_k t_k) / sqrt((n^2 - sum p_k^2) (n^2 - sum t_k^2)), and 0 when all predictions, or all rows, are of one class.
/// @param predicted, wanted  class ids, none negative
/// Source: sklearn.metrics.matthews_corrcoef; Gorodkin 2004.
double matthews(std::span<const std::int32_t> predicted, std::span<const std::int32_t> wanted);

/// Pearson correlation, within [-1, 1]; NaN when x or y is constant (a single row is) or holds a NaN. Source: scipy.stats.pearsonr.
double pearson(std::span<const double> x, std::span<const double> y);

/// Ranks from 1; equal values share the mean of their ranks. Source: scipy.stats.rankdata.
/// @param values  no NaN among them
std::vector<double> average_ranks(std::span<const double> values);

/// Spearman correlation: Pearson's of the average ranks; NaN as there. Source: scipy.stats.spearmanr.
double spearman(std::span<const double> x, std::span<const double> y);

/// The class with the largest logit in each row, the first of several.
std::vector<std::int32_t> predicted_classes(const_view<double> logits);

/// Scores of several labels at once: F1 over all of them together, the mean of each label's F1, the share of rows with all labels right. An
/// F1 of labels that are neither predicted nor wanted is 0.
/// Source: sklearn.metrics.f1_score(average="micro" and "macro", zero_division=0), accuracy_score of label indicators.
struct label_scores {
  double f1_micro = 0, f1_macro = 0, subset_acc = 0;
};

/// @param predicted, wanted  a row each, the ids of its labels in rising order, below CLASSES
label_scores score_labels(std::span<const std::vector<std::int32_t>> predicted, std::span<const std::vector<std::int32_t>> wanted,
                          index classes);

/// The labels of each row whose probability, the logistic function of its logit, is 0.5 or more.
std::vector<std::vector<std::int32_t>> predicted_label_sets(const_view<double> logits);

/// Of entities, or whatever is found or not: found and there, found and not there, there and not found. A score that there is nothing for
/// is 0.
struct match_counts {
  std::uint64_t right = 0, wrong = 0, missed = 0;

  double precision() const;  // right / (right + wrong)
  double recall() const;     // right / (right + missed)
  double f1() const;         // 2 right / (2 right + wrong + missed)
};

/// The entities that LABELS of words mark (data/tags.hpp), counted by type, in alphabetical order; right are those of which type, beginning
/// and end are.
/// @param predicted, wanted  a text each, of each of its words the number of its label
/// Source: seqeval, metrics/sequence_labeling.py, precision_recall_fscore_support (mode=None).   Tested: tests/train/entities_test.cpp
std::map<std::string, match_counts> count_entities(std::span<const std::string> labels,
                                                   std::span<const std::vector<std::int32_t>> predicted,
                                                   std::span<const std::vector<std::int32_t>> wanted);

/// The class with the largest logit for each word of each of ROWS that is asked.
/// @param logits  (words, C)
std::vector<std::vector<std::int32_t>> predicted_tags(const_view<double> logits, std::span<const features> rows);

/// The metrics that the task names, for ROWS and their logits. Of tags for words acc is the share of words, entity_precision, entity_recall
/// and entity_f1 are those of all types of entities together.
/// @param logits  (B, C), or (words, C)
/// @param rows    (B), labeled
/// @throws shape_error   no rows, other than B logit rows, or other than C columns
/// @throws config_error  a row without a label
task_metrics evaluate(const task& task, const_view<double> logits, std::span<const features> rows);

/// {"major": ..., "minor": {"acc": ...}}; NaN, which JSON does not have, becomes null when it is written.
ordered_json metrics_json(const task_metrics& metrics);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/metrics-inl.hpp"  // IWYU pragma: export
#endif
