#pragma once
// Examples made ready for the model: featurized, with their labels as numbers.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/number_text.hpp"
#include "graft/data/example.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/featurize.hpp"
#include "graft/data/sampler.hpp"
#include "graft/data/tasks.hpp"

namespace graft {

/// The rows of one split, in the order of the examples they were made from.
struct data_set {
  std::vector<features> rows;
};

/// Gives READY, the features of EXAMPLES in order, their `label` (class id) or `target` (regression). Examples without a label keep -1.
/// @param path  the file that the examples came from, for errors
/// @throws format_error  a label that the task does not have
inline data_set labeled(const task& task, std::span<const example> examples, std::vector<features> ready, const std::string& path) {
  for (std::size_t i = 0; i < ready.size(); ++i) {
    const example& row = examples[i];
    if (row.label && task.kind == task_kind::classification) ready[i].label = label_id(task, *row.label, path, row.line);
    if (row.label && task.kind == task_kind::regression) ready[i].target = regression_target(task, *row.label, path, row.line);
  }
  return {std::move(ready)};
}

/// Featurizes EXAMPLES, as featurize_all does, with its PROGRESS, and labels them.
/// @throws format_error  with file and line: a text that is not UTF-8, ids that do not fit, an unknown label
template <class Source>
data_set make_data_set(const task& task, std::span<const example> examples, const std::string& path, const Source& source,
                       index max_seq_length, int threads, const std::function<void(index, index)>& progress = {}) {
  try {
    return labeled(task, examples, featurize_all(examples, source, max_seq_length, threads, progress), path);
  } catch (const row_error& failure) {
    throw format_error::at_line(path, examples[failure.row()].line, failure.reason());
  }
}

/// What --train_examples_number or --train_examples_fraction leaves of the training examples: a random subset that depends on SEED
/// only, in file order. NUMBER is capped at the examples there are; a FRACTION of n examples is floor(n fraction).
/// @throws config_error  both are given, the fraction is outside (0, 1], or nothing would be left
inline std::vector<example> training_subset(std::vector<example> examples, std::optional<std::size_t> number,
                                            std::optional<double> fraction, std::uint64_t seed) {
  if (number && fraction) throw config_error("train_examples_number and train_examples_fraction exclude each other: give one");
  if (fraction && !(*fraction > 0 && *fraction <= 1)) {
    throw config_error("train_examples_fraction is " + number_text(*fraction) + ", a number above 0 and up to 1 was expected");
  }
  const std::size_t n = examples.size();
  const std::size_t kept = fraction ? static_cast<std::size_t>(static_cast<double>(n) * *fraction) : std::min(n, number.value_or(n));
  if (kept == 0) throw config_error("no training example is left of " + std::to_string(n) + ": raise train_examples_number or _fraction");
  if (kept == n) return examples;
  std::vector<std::size_t> order = permutation(n, random_stream(seed, 0, subset_place));
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept));
  std::vector<example> result;
  result.reserve(kept);
  for (std::size_t i = 0; i < kept; ++i) result.push_back(std::move(examples[order[i]]));
  return result;
}

}  // namespace graft
