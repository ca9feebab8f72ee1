#pragma once
// Bodies of graft/train/class_report.hpp.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/text_list.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/tags.hpp"
#include "graft/train/class_report.hpp"
#include "graft/train/metrics.hpp"
#include "graft/train/task_loss.hpp"

namespace graft::detail {

GRAFT_INLINE class_scores scores_of(const match_counts& c) { return {c.precision(), c.recall(), c.f1(), c.right + c.missed}; }

/// Checks that LOGITS are for ROWS of T, all of them labeled.
GRAFT_INLINE void check_labeled(const task& t, const_view<double> logits, std::span<const features> rows) {
  const bool words = t.kind == task_kind::token_classification;
  const index answers = answer_offsets(rows, words).back();
  if (logits.rows() != answers || logits.cols() != t.num_labels()) {
    throw shape_error("class_report: logits are " + shape_text({logits.rows(), logits.cols()}) + ", " +
                      shape_text({answers, t.num_labels()}) + " are needed");
  }
  const index most = t.num_labels() - (t.kind == task_kind::multi_label ? 0 : 1);
  for (std::size_t r = 0; r < rows.size() && t.kind != task_kind::regression; ++r) {
    const auto no_label = [&](std::int32_t id) { return id < 0 || id > most; };
    if (words && std::ranges::any_of(rows[r].tags, no_label)) {
      throw config_error("class_report: row " + std::to_string(r) + " has a word without a tag: only labeled rows can be scored");
    }
    if (!words && no_label(rows[r].label)) {
      throw config_error("class_report: row " + std::to_string(r) + " has the label id " + std::to_string(rows[r].label) + ", task " +
                         t.name + " has " + std::to_string(t.num_labels()) + " classes: only labeled rows can be scored");
    }
  }
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE class_report report_classes(const task& t, const_view<double> logits, std::span<const features> rows) {
  if (t.kind == task_kind::regression) throw config_error("class_report: " + t.name + " asks for a number, and has no classes");
  detail::check_labeled(t, logits, rows);
  const auto classes = static_cast<std::size_t>(t.num_labels());
  std::vector<match_counts> counts(classes);
  class_report report;
  report.names = t.labels;
  if (t.kind == task_kind::token_classification && marks_entities(t.labels)) {
    std::vector<std::vector<std::int32_t>> wanted;
    for (const features& row : rows) wanted.push_back(row.tags);
    counts.clear();
    report.names.clear();
    for (const auto& [type, count] : count_entities(t.labels, predicted_tags(logits, rows), wanted)) {
      report.names.push_back(type);
      counts.push_back(count);
    }
  } else if (t.kind == task_kind::multi_label) {
    const auto predicted = predicted_label_sets(logits);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const auto& wanted = rows[r].label_set;
      for (const std::int32_t c : predicted[r]) {
        auto& count = counts[static_cast<std::size_t>(c)];
        ++(std::binary_search(wanted.begin(), wanted.end(), c) ? count.right : count.wrong);
      }
      for (const std::int32_t c : wanted) {
        if (!std::binary_search(predicted[r].begin(), predicted[r].end(), c)) ++counts[static_cast<std::size_t>(c)].missed;
      }
    }
  } else {
    const auto predicted = predicted_classes(logits);
    report.confusion.assign(classes, std::vector<std::uint64_t>(classes));
    std::vector<std::int32_t> labels;
    for (const features& row : rows) {
      if (!row.words) labels.push_back(row.label);
      labels.insert(labels.end(), row.tags.begin(), row.tags.end());
    }
    for (std::size_t r = 0; r < labels.size(); ++r) {
      const auto wanted = static_cast<std::size_t>(labels[r]), answer = static_cast<std::size_t>(predicted[r]);
      ++report.confusion[wanted][answer];
      if (wanted == answer) ++counts[wanted].right;
      if (wanted != answer) ++counts[wanted].missed, ++counts[answer].wrong;
    }
  }
  match_counts all;
  for (const auto& c : counts) {
    all = {all.right + c.right, all.wrong + c.wrong, all.missed + c.missed};
    report.classes.push_back(detail::scores_of(c));
  }
  report.micro = detail::scores_of(all);
  report.macro.support = report.weighted.support = report.micro.support;
  for (const class_scores& c : report.classes) {
    const double even = 1 / static_cast<double>(counts.size());
    const double share = all.right + all.missed > 0 ? static_cast<double>(c.support) / static_cast<double>(all.right + all.missed) : 0;
    const auto add = [&](class_scores& to, double weight) {
      to.precision += weight * c.precision;
      to.recall += weight * c.recall;
      to.f1 += weight * c.f1;
    };
    add(report.macro, even);
    add(report.weighted, share);
  }
  return report;
}

GRAFT_INLINE std::vector<double> row_losses(const task& t, const_view<double> logits, std::span<const features> rows) {
  detail::check_labeled(t, logits, rows);
  std::vector<double> losses;
  const std::vector<index> begins = answer_offsets(rows, t.kind == task_kind::token_classification);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    batch one;
    one.add_answer(rows[r]);
    const auto row_logits = logits.window(begins[r], 0, begins[r + 1] - begins[r], logits.cols());
    if (row_logits.rows() == 0) losses.push_back(0);
    if (row_logits.rows() == 0) continue;
    losses.push_back(row_logits.allFinite() ? task_loss<double>(t.kind, row_logits, one, nullptr)
                                            : std::numeric_limits<double>::quiet_NaN());
  }
  return losses;
}

GRAFT_INLINE std::vector<worst_row> worst_rows(const task& t, const_view<double> logits, std::span<const features> rows, std::size_t most) {
  const std::vector<double> losses = row_losses(t, logits, rows);
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t count = std::min(most, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(), [&](std::size_t a, std::size_t b) {
    if (std::isnan(losses[a]) != std::isnan(losses[b])) return std::isnan(losses[a]);
    return losses[a] != losses[b] && !std::isnan(losses[a]) ? losses[a] > losses[b] : a < b;
  });
  const auto classes = predicted_classes(logits);
  const auto sets = predicted_label_sets(logits);
  const auto label_of = [&](std::int32_t id) { return t.labels[static_cast<std::size_t>(id)]; };
  const auto text = [&](std::int32_t label, const std::vector<std::int32_t>& set, double number) {
    if (t.kind == task_kind::regression) return number_text(number);
    if (t.kind == task_kind::classification) return label_of(label);
    return listed(set, label_of, ",");
  };
  std::vector<worst_row> worst;
  if (t.kind == task_kind::token_classification) {
    const auto tags = predicted_tags(logits, rows);
    for (const std::size_t r : std::span(order).first(count))
      worst.push_back({r, losses[r], listed(rows[r].tags, label_of, " "), listed(tags[r], label_of, " ")});
    return worst;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t r = order[i];
    worst.push_back({r, losses[r], text(rows[r].label, rows[r].label_set, rows[r].target),
                     text(classes[r], sets[r], logits(static_cast<index>(r), 0))});
  }
  return worst;
}

GRAFT_INLINE ordered_json report_json(const class_report& report) {
  const auto scores = [](const class_scores& s) {
    return ordered_json{{"precision", s.precision}, {"recall", s.recall}, {"f1", s.f1}, {"support", s.support}};
  };
  ordered_json all = {{"labels", report.names}};
  if (!report.confusion.empty()) all["confusion"] = report.confusion;
  all["classes"] = ordered_json::array();
  for (std::size_t c = 0; c < report.classes.size(); ++c) {
    ordered_json one = {{"label", report.names[c]}};
    one.update(scores(report.classes[c]));
    all["classes"].push_back(one);
  }
  all["micro"] = scores(report.micro);
  all["macro"] = scores(report.macro);
  all["weighted"] = scores(report.weighted);
  return all;
}

GRAFT_INLINE ordered_json worst_rows_json(std::span<const worst_row> rows) {
  ordered_json all = ordered_json::array();
  for (const worst_row& one : rows)
    all.push_back({{"row", one.row}, {"loss", one.loss}, {"label", one.wanted}, {"prediction", one.predicted}});
  return all;
}

}  // namespace graft
