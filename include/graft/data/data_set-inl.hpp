#pragma once
// Bodies of graft/data/data_set.hpp.

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/fnv1a.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/data/conll.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/sampler.hpp"

namespace graft::detail {

/// Whether rows of words from PATH stand in columns, a word a line, where comments may be, too.
GRAFT_INLINE bool in_columns(const std::string& path) { return !path.ends_with(".jsonl") && !path.ends_with(".jsonl.gz"); }

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE task with_tags_of(const task& t, std::span<const example> rows, const std::string& path) {
  if (!t.labels.empty()) return t;
  std::set<std::string> all, of_words;  // those of others than a first "#", which a comment begins with
  std::optional<bool> numbers;
  for (const example& row : rows) {
    if (row.tags.empty()) continue;
    if (numbers.value_or(row.tags_are_numbers) != row.tags_are_numbers) {
      throw format_error::at_line(path, row.line,
                                  std::string("has tags that are ") + (row.tags_are_numbers ? "numbers" : "names") + ", those before are " +
                                      (row.tags_are_numbers ? "names" : "numbers") +
                                      ": list \"labels\" in the task, for numbers to stand for them");
    }
    numbers = row.tags_are_numbers;
    all.insert(row.tags.begin(), row.tags.end());
    of_words.insert(row.tags.begin() + (begins_as_comment(row.words[0]) && row.tags[0] != "#" ? 1 : 0), row.tags.end());
  }
  for (const example& row : rows) {
    if (!detail::in_columns(path) || row.tags.empty() || !begins_as_comment(row.words[0]) || row.tags[0] == "#" ||
        of_words.contains(row.tags[0]))
      continue;
    throw format_error::at_line(path, row.line,
                                "begins with a \"#\", whose tag, " + in_quotes(row.tags[0]) +
                                    ", no other word has: comments (#) are not read: take them out, or list \"labels\" in the task");
  }
  if (all.size() < 2) {
    throw format_error(path, "has " + std::string(all.empty() ? "no tags" : "the tag " + in_quotes(*all.begin()) + " alone") +
                                 ", two or more different ones were expected");
  }
  task named = custom_task(t.name, t.kind, {all.begin(), all.end()});
  named.tag_column = t.tag_column;
  named.labels_found = true;
  check_labels(named.labels, path);
  return named;
}

GRAFT_INLINE data_set labeled(const task& task, std::span<const example> examples, std::vector<features> ready, const std::string& path) {
  const auto refuse_adapter = [&](const example& row) {
    throw format_error::at_line(path, row.line, "names an \"adapter\", which only a row to be answered does: take the column out");
  };
  for (std::size_t i = 0; i < ready.size(); ++i) {
    const example& row = examples[i];
    if (task.kind == task_kind::token_classification) {
      if (row.words.empty()) {
        throw format_error::at_line(path, row.line, "has no \"tokens\", the words that a task of \"token_classification\" is about");
      }
      if (!row.adapter.empty() && !row.tags.empty()) refuse_adapter(row);
      ready[i].words = true;
      std::vector<std::int32_t> ids(row.words.size(), -1);
      const bool columns = detail::in_columns(path);
      bool comments = columns;  // so far
      for (std::size_t w = 0; w < row.tags.size(); ++w) {
        comments = comments && begins_as_comment(row.words[w]);
        const std::string hint = comments ? "; comments (#) are not read: take them out" : "";
        ids[w] = label_id(task, row.tags[w], path, row.line + (columns ? w : 0), hint);
      }
      for (const text_span span : ready[i].word_spans) ready[i].tags.push_back(ids[static_cast<std::size_t>(span.begin)]);
      continue;
    }
    if (!row.words.empty()) {
      throw format_error::at_line(
          path, row.line, "has \"tokens\", words, which a task of \"kind\": \"token_classification\" is about: \"text_a\" was expected");
    }
    if (row.label && !row.adapter.empty()) refuse_adapter(row);
    if (row.label && row.label_is_list && task.kind != task_kind::multi_label) {
      throw format_error::at_line(
          path, row.line, "\"label\" is a list, one label was expected (a task of several at once is of \"kind\": \"multi_label\")");
    }
    if (row.label && task.kind == task_kind::multi_label) {
      ready[i].label_set = label_ids(task, *row.label, path, row.line);
      ready[i].label = static_cast<std::int32_t>(ready[i].label_set.size());
    }
    if (row.label && task.kind == task_kind::classification) ready[i].label = label_id(task, *row.label, path, row.line);
    if (row.label && task.kind == task_kind::regression) ready[i].target = regression_target(task, *row.label, path, row.line);
  }
  return {std::move(ready)};
}

GRAFT_INLINE std::vector<example> training_subset(std::vector<example> examples, std::optional<std::size_t> number,
                                                  std::optional<double> fraction, std::uint64_t seed) {
  if (number && fraction) throw config_error("train_examples_number and train_examples_fraction exclude each other: give one");
  if (fraction && !(*fraction > 0 && *fraction <= 1)) {
    throw config_error("train_examples_fraction is " + number_text(*fraction) + ", a number above 0 and up to 1 was expected");
  }
  const std::size_t n = examples.size();
  const std::size_t subset_size = fraction ? static_cast<std::size_t>(static_cast<double>(n) * *fraction) : std::min(n, number.value_or(n));
  if (subset_size == 0)
    throw config_error("no training example is left of " + std::to_string(n) + ": raise train_examples_number or _fraction");
  if (subset_size == n) return examples;
  std::vector<std::size_t> order = permutation(n, random_stream(seed, 0, subset_stream));
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(subset_size));
  std::vector<example> result;
  result.reserve(subset_size);
  for (std::size_t i = 0; i < subset_size; ++i) result.push_back(std::move(examples[order[i]]));
  return result;
}

}  // namespace graft

namespace graft::detail {

template <class Source>
data_set data_set_of(const task& task, std::span<const example> examples, const std::string& path, const Source& source,
                     index max_seq_length, int threads, const std::function<void(index, index)>& progress) {
  try {
    return labeled(task, examples, featurize_all(examples, source, max_seq_length, threads, progress), path);
  } catch (const row_error& failure) {
    throw format_error::at_line(path, examples[failure.row()].line, failure.reason());
  }
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::vector<index> answer_offsets(std::span<const features> rows, bool of_words) {
  std::vector<index> begins{0};
  for (const features& row : rows) begins.push_back(begins.back() + (of_words ? std::ssize(row.answering) : 1));
  return begins;
}

GRAFT_INLINE std::string answers_digest(std::span<const features> rows) {
  fnv1a digest;
  for (const features& row : rows) {
    digest.add(std::as_bytes(std::span(&row.label, 1)));
    digest.add(std::as_bytes(std::span(&row.target, 1)));
    digest.add(std::as_bytes(std::span(row.label_set)));
    digest.add(std::as_bytes(std::span(row.tags)));
  }
  return digest.text();
}

GRAFT_INLINE data_set make_data_set(const task& task, std::span<const example> examples, const std::string& path, const tokenizer& source,
                                    index max_seq_length, int threads, const std::function<void(index, index)>& progress) {
  return detail::data_set_of(task, examples, path, source, max_seq_length, threads, progress);
}
GRAFT_INLINE data_set make_data_set(const task& task, std::span<const example> examples, const std::string& path, const known_ids& source,
                                    index max_seq_length, int threads, const std::function<void(index, index)>& progress) {
  return detail::data_set_of(task, examples, path, source, max_seq_length, threads, progress);
}

}  // namespace graft
