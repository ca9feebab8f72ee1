#pragma once
// Bodies of graft/train/class_weights.hpp.

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/range.hpp"
#include "graft/core/text_list.hpp"
#include "graft/train/class_weights.hpp"

namespace graft::detail {

GRAFT_INLINE void check_weighs_labels(const task& t) {
  if (t.kind == task_kind::regression) throw config_error("class_weights are of labels, and " + t.name + " is a regression");
}

/// Names and weights in TEXT; the names are empty in a list.
GRAFT_INLINE std::vector<std::pair<std::optional<std::string>, double>> named_weights(const std::string& text) {
  const auto expected = [&](const std::string& what) {
    return config_error("class_weights has \"" + what +
                        "\", balanced, LABEL=NUMBER,..., or a JSON object of labels and numbers was expected");
  };
  std::vector<std::pair<std::optional<std::string>, double>> all;
  if (text.starts_with('{') || text.starts_with('[')) {
    const ordered_json given = ordered_json::parse(text, nullptr, false);
    if (given.is_discarded() || given.empty()) throw expected(text);
    for (const auto& [name, value] : given.items()) {
      if (!value.is_number()) throw expected(value.dump());
      all.emplace_back(given.is_object() ? std::optional(name) : std::nullopt, value.template get<double>());
    }
    return all;
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size()), equals = text.rfind('=', end);
    if (equals == text.npos || equals < begin || equals >= end) throw expected(text.substr(begin, end - begin));
    double value = 0;
    const auto [stop, failed] = std::from_chars(text.data() + equals + 1, text.data() + end, value);
    if (failed != std::errc() || stop != text.data() + end) throw expected(text.substr(begin, end - begin));
    all.emplace_back(text.substr(begin, equals - begin), value);
    begin = end + 1;
  }
  return all;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::vector<double> balanced_class_weights(const task& t, std::span<const features> rows) {
  detail::check_weighs_labels(t);
  const bool several = t.kind == task_kind::multi_label;
  std::vector<double> counts(t.labels.size());
  const bool words = t.kind == task_kind::token_classification;
  for (const features& row : rows) {
    for (const std::int32_t tag : row.tags) ++counts.at(static_cast<std::size_t>(tag));
    if (!several && !words) ++counts.at(static_cast<std::size_t>(row.label));
    for (const std::int32_t label : row.label_set) ++counts.at(static_cast<std::size_t>(label));
  }
  const double n = words ? std::accumulate(counts.begin(), counts.end(), 0.0) : static_cast<double>(rows.size());
  for (std::size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] == 0 || (several && counts[c] == n)) {
      throw config_error("class_weights cannot be balanced: " + std::string(counts[c] == 0 ? "none" : "each") +
                         " of the training rows has the label \"" + t.labels[c] + "\"; give weights by name");
    }
    counts[c] = several ? (n - counts[c]) / counts[c] : n / (static_cast<double>(counts.size()) * counts[c]);
  }
  return counts;
}

GRAFT_INLINE std::vector<double> parse_class_weights(const std::string& text, const task& t) {
  detail::check_weighs_labels(t);
  const auto given = detail::named_weights(text);
  const bool list = !given.empty() && !given[0].first;
  if (list) check_loss({std::vector<double>(given.size(), 1.0)}, t);
  std::vector<std::optional<double>> by_label(t.labels.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto& [name, weight] = given[i];
    const auto found = list ? t.labels.begin() + static_cast<std::ptrdiff_t>(i) : std::find(t.labels.begin(), t.labels.end(), *name);
    if (found == t.labels.end()) {
      throw config_error("class_weights names the label \"" + *name + "\", one of " + listed(t.labels, in_quotes) + " was expected");
    }
    check_range("class_weights", weight, ranges::class_weight);
    auto& of_label = by_label[static_cast<std::size_t>(found - t.labels.begin())];
    if (of_label) throw config_error("class_weights names the label \"" + *found + "\" twice");
    of_label = weight;
  }
  std::vector<double> all;
  for (const auto& weight : by_label) all.push_back(weight.value_or(1));
  return all;
}

GRAFT_INLINE void check_loss(const loss_options& o, const task& t) {
  if (o.label_smoothing > 0 && t.kind != task_kind::classification && t.kind != task_kind::token_classification) {
    throw config_error("label_smoothing is for tasks of one label, which " + t.name + " is not");
  }
  if (o.class_weights.empty()) return;
  detail::check_weighs_labels(t);
  if (o.class_weights.size() != t.labels.size()) {
    throw config_error("class_weights has " + std::to_string(o.class_weights.size()) + " numbers, one for each of the " +
                       std::to_string(t.labels.size()) + " labels was expected");
  }
}

}  // namespace graft
