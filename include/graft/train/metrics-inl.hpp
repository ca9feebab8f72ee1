#pragma once
// Bodies of graft/train/metrics.hpp.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numeric>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/tags.hpp"
#include "graft/train/metrics.hpp"

namespace graft::detail {

GRAFT_INLINE void check_pairs(const char* who, std::size_t predicted, std::size_t wanted) {
  if (predicted == wanted && predicted > 0) return;
  throw shape_error(std::string(who) + ": " + std::to_string(predicted) + " predictions for " + std::to_string(wanted) +
                    " rows, as many of each and at least one were expected");
}

GRAFT_INLINE double share(std::uint64_t part, std::uint64_t all) {
  return all > 0 ? static_cast<double>(part) / static_cast<double>(all) : 0;
}

GRAFT_INLINE double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE double accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> wanted) {
  detail::check_pairs("accuracy", predicted.size(), wanted.size());
  return std::inner_product(predicted.begin(), predicted.end(), wanted.begin(), 0.0, std::plus<>(), std::equal_to<>()) /
         static_cast<double>(wanted.size());
}

GRAFT_INLINE double f1_score(std::span<const std::int32_t> predicted, std::span<const std::int32_t> wanted) {
  detail::check_pairs("f1", predicted.size(), wanted.size());
  double both = 0, either = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    both += predicted[i] == 1 && wanted[i] == 1 ? 2 : 0;
    either += (predicted[i] == 1) + (wanted[i] == 1);
  }
  return either > 0 ? both / either : 0;
}

GRAFT_INLINE double matthews(std::span<const std::int32_t> predicted, std::span<const std::int32_t> wanted) {
  detail::check_pairs("mcc", predicted.size(), wanted.size());
  const auto classes = static_cast<std::size_t>(
      1 + std::max(*std::max_element(predicted.begin(), predicted.end()), *std::max_element(wanted.begin(), wanted.end())));
  std::vector<double> p(classes), t(classes);
  double right = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    ++p[static_cast<std::size_t>(predicted[i])];
    ++t[static_cast<std::size_t>(wanted[i])];
    right += predicted[i] == wanted[i];
  }
  const auto n = static_cast<double>(wanted.size());
  const double square = (n * n - detail::dot(p, p)) * (n * n - detail::dot(t, t));
  return square > 0 ? (right * n - detail::dot(p, t)) / std::sqrt(square) : 0;
}

GRAFT_INLINE double pearson(std::span<const double> x, std::span<const double> y) {
  detail::check_pairs("pearson", x.size(), y.size());
  const auto direction = [](std::span<const double> values) {
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    std::vector<double> result(values.begin(), values.end());
    for (double& value : result) value -= mean;
    // the mean of equal numbers need not be that number, so a constant is told by comparing
    const bool constant = std::all_of(values.begin(), values.end(), [&](double value) { return value == values[0]; });
    const double length = constant ? std::numeric_limits<double>::quiet_NaN() : std::sqrt(detail::dot(result, result));
    for (double& value : result) value /= length;
    return result;
  };
  const double r = detail::dot(direction(x), direction(y));
  return std::isnan(r) ? r : std::clamp(r, -1.0, 1.0);
}

GRAFT_INLINE std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = 0.5 * static_cast<double>(first + 1 + last);
  }
  return ranks;
}

GRAFT_INLINE double spearman(std::span<const double> x, std::span<const double> y) {
  detail::check_pairs("spearmanr", x.size(), y.size());
  const auto is_nan = [](double value) { return std::isnan(value); };
  if (std::any_of(x.begin(), x.end(), is_nan) || std::any_of(y.begin(), y.end(), is_nan)) return std::numeric_limits<double>::quiet_NaN();
  return pearson(average_ranks(x), average_ranks(y));
}

GRAFT_INLINE std::vector<std::int32_t> predicted_classes(const_view<double> logits) {
  std::vector<std::int32_t> classes;
  for (index row = 0; row < logits.rows(); ++row) {
    const double* begin = logits.row_data(row);
    classes.push_back(static_cast<std::int32_t>(std::max_element(begin, begin + logits.cols()) - begin));
  }
  return classes;
}

GRAFT_INLINE label_scores score_labels(std::span<const std::vector<std::int32_t>> predicted,
                                       std::span<const std::vector<std::int32_t>> wanted, index classes) {
  detail::check_pairs("f1_micro", predicted.size(), wanted.size());
  std::vector<double> both(static_cast<std::size_t>(classes)), either(both);  // 2 tp, 2 tp + fp + fn
  label_scores scores;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    scores.subset_acc += predicted[i] == wanted[i] ? 1 : 0;
    for (const std::int32_t label : predicted[i]) {
      ++either[static_cast<std::size_t>(label)];
      both[static_cast<std::size_t>(label)] += std::binary_search(wanted[i].begin(), wanted[i].end(), label) ? 2 : 0;
    }
    for (const std::int32_t label : wanted[i]) ++either[static_cast<std::size_t>(label)];
  }
  const auto f1 = [](double b, double e) { return e > 0 ? b / e : 0; };
  const auto sum = [](const std::vector<double>& all) { return std::accumulate(all.begin(), all.end(), 0.0); };
  for (std::size_t c = 0; c < both.size(); ++c) scores.f1_macro += f1(both[c], either[c]) / static_cast<double>(classes);
  scores.f1_micro = f1(sum(both), sum(either));
  scores.subset_acc /= static_cast<double>(wanted.size());
  return scores;
}

GRAFT_INLINE std::vector<std::vector<std::int32_t>> predicted_label_sets(const_view<double> logits) {
  std::vector<std::vector<std::int32_t>> sets(static_cast<std::size_t>(logits.rows()));
  for (index r = 0; r < logits.rows(); ++r) {
    for (index c = 0; c < logits.cols(); ++c) {
      if (1 / (1 + std::exp(-logits(r, c))) >= 0.5) sets[static_cast<std::size_t>(r)].push_back(static_cast<std::int32_t>(c));
    }
  }
  return sets;
}

GRAFT_INLINE double match_counts::precision() const { return detail::share(right, right + wrong); }
GRAFT_INLINE double match_counts::recall() const { return detail::share(right, right + missed); }
GRAFT_INLINE double match_counts::f1() const { return detail::share(2 * right, 2 * right + wrong + missed); }

GRAFT_INLINE std::map<std::string, match_counts> count_entities(std::span<const std::string> labels,
                                                                std::span<const std::vector<std::int32_t>> predicted,
                                                                std::span<const std::vector<std::int32_t>> wanted) {
  detail::check_pairs("count_entities", predicted.size(), wanted.size());
  const auto entities = [&](const std::vector<std::int32_t>& ids) {
    std::vector<std::string> tags;
    for (const std::int32_t id : ids) tags.push_back(labels[static_cast<std::size_t>(id)]);
    return entities_of(tags);
  };
  std::map<std::string, match_counts> counts;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto there = entities(wanted[i]), found = entities(predicted[i]);
    for (const tagged_entity& one : found) {
      match_counts& c = counts[one.type];
      ++(std::ranges::find(there, one) != there.end() ? c.right : c.wrong);
    }
    for (const tagged_entity& one : there) {
      if (std::ranges::find(found, one) == found.end()) ++counts[one.type].missed;
    }
  }
  return counts;
}

GRAFT_INLINE std::vector<std::vector<std::int32_t>> predicted_tags(const_view<double> logits, std::span<const features> rows) {
  const std::vector<std::int32_t> all = predicted_classes(logits);
  const std::vector<index> begins = answer_offsets(rows, true);
  std::vector<std::vector<std::int32_t>> tags;
  for (std::size_t r = 0; r < rows.size(); ++r) tags.emplace_back(all.begin() + begins[r], all.begin() + begins[r + 1]);
  return tags;
}

GRAFT_INLINE task_metrics evaluate(const task& task, const_view<double> logits, std::span<const features> rows) {
  const bool words = task.kind == task_kind::token_classification;
  detail::check_pairs("evaluate", static_cast<std::size_t>(logits.rows()), static_cast<std::size_t>(answer_offsets(rows, words).back()));
  if (logits.cols() != task.num_labels()) {
    throw shape_error("evaluate: logits have " + std::to_string(logits.cols()) + " columns, task " + task.name + " needs " +
                      std::to_string(task.num_labels()));
  }
  const bool regression = task.kind == task_kind::regression, several = task.kind == task_kind::multi_label;
  std::vector<std::int32_t> labels;
  std::vector<std::vector<std::int32_t>> sets;
  std::vector<double> targets, values;
  for (const features& row : rows) {
    const index last = task.num_labels() - (several ? 0 : 1);
    const auto no_label = [&](std::int32_t id) { return id < 0 || id > last; };
    if (words && std::ranges::any_of(row.tags, no_label)) {
      throw config_error("evaluate: row " + std::to_string(sets.size()) + " has a word without a tag: only labeled rows can be scored");
    }
    labels.insert(labels.end(), row.tags.begin(), row.tags.end());
    if (words) sets.push_back(row.tags);
    if (words) continue;
    if (!regression && no_label(row.label)) {
      throw config_error("evaluate: row " + std::to_string(labels.size()) + " has the label id " + std::to_string(row.label) + ", task " +
                         task.name + " has " + std::to_string(task.num_labels()) + " classes: only labeled rows can be scored");
    }
    labels.push_back(row.label);
    targets.push_back(row.target);
    sets.push_back(row.label_set);
  }
  const label_scores of_sets = several ? score_labels(predicted_label_sets(logits), sets, task.num_labels()) : label_scores();
  const std::vector<std::int32_t> predicted = predicted_classes(logits);
  match_counts entities;
  if (words && marks_entities(task.labels)) {
    for (const auto& [type, c] : count_entities(task.labels, predicted_tags(logits, rows), sets)) {
      entities = {entities.right + c.right, entities.wrong + c.wrong, entities.missed + c.missed};
    }
  }
  for (index row = 0; row < logits.rows(); ++row) values.push_back(logits(row, 0));

  const auto score = [&](const std::string& name, const auto& self) -> double {
    if (name == "acc") return accuracy(predicted, labels);
    if (name == "f1") return f1_score(predicted, labels);
    if (name == "mcc") return matthews(predicted, labels);
    if (name == "acc_and_f1") return (self("acc", self) + self("f1", self)) / 2;
    if (name == "pearson") return pearson(values, targets);
    if (name == "spearmanr") return spearman(values, targets);
    if (name == "pearson_and_spearman") return (self("pearson", self) + self("spearmanr", self)) / 2;
    if (name == "f1_micro") return of_sets.f1_micro;
    if (name == "f1_macro") return of_sets.f1_macro;
    if (name == "subset_acc") return of_sets.subset_acc;
    if (name == "entity_f1") return entities.f1();
    if (name == "entity_precision") return entities.precision();
    if (name == "entity_recall") return entities.recall();
    throw config_error("evaluate: no metric is called \"" + name + "\"");
  };
  task_metrics result;
  for (const std::string& name : task.metrics) {
    result.minor.emplace_back(name, score(name, score));
    if (name == task.major) result.major = result.minor.back().second;
  }
  return result;
}

GRAFT_INLINE ordered_json metrics_json(const task_metrics& metrics) {
  ordered_json minor = ordered_json::object();
  for (const auto& [name, value] : metrics.minor) minor[name] = value;
  return {{"major", metrics.major}, {"minor", minor}};
}

}  // namespace graft
