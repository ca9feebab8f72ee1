#pragma once
// Examples made ready for the model: featurized, with their labels as numbers.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/data/example.hpp"
#include "graft/data/featurize.hpp"
#include "graft/data/tasks.hpp"

namespace graft {

/// The rows of one split, in the order of the examples they were made from.
struct data_set {
  std::vector<features> rows;
};

/// T with the tags of ROWS, sorted, as its labels, if it has none.
/// @throws format_error  those of PATH are fewer than two, comments stand among the words, or a character in one would break tables that
/// answers stand in
task with_tags_of(const task& t, std::span<const example> rows, const std::string& path);

/// Gives READY, the features of EXAMPLES in order, their `label` (class id), `label_set`, `target` (regression) or `tags`. Examples without
/// a label keep -1.
/// @param path  the file that the examples came from, for errors
/// @throws format_error  a label that the task does not have
data_set labeled(const task& task, std::span<const example> examples, std::vector<features> ready, const std::string& path);

/// (n + 1) where among the answers to n ROWS those of each begin: one each, or OF_WORDS as many as there are words that answer.
std::vector<index> answer_offsets(std::span<const features> rows, bool of_words);

/// 16 hexadecimal digits over the labels, targets or sets of labels of ROWS, in order: others, or in another order, have others.
std::string answers_digest(std::span<const features> rows);

/// Featurizes EXAMPLES, as featurize_all does, on THREADS threads (0: as many as OpenMP takes) and with its PROGRESS, and labels them.
/// @throws format_error  with file and line: a text that is not UTF-8, ids that do not fit, an unknown label
data_set make_data_set(const task& task, std::span<const example> examples, const std::string& path, const tokenizer& source,
                       index max_seq_length, int threads = 0, const std::function<void(index, index)>& progress = {});
data_set make_data_set(const task& task, std::span<const example> examples, const std::string& path, const known_ids& source,
                       index max_seq_length, int threads = 0, const std::function<void(index, index)>& progress = {});

/// A part of the training examples: a random subset that depends on SEED
/// only, in file order. NUMBER is capped at the examples there are; a FRACTION of n examples is floor(n fraction).
/// @throws config_error  both are given, the fraction is outside (0, 1], or nothing would be left
std::vector<example> training_subset(std::vector<example> examples, std::optional<std::size_t> number, std::optional<double> fraction,
                                     std::uint64_t seed);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/data_set-inl.hpp"  // IWYU pragma: export
#endif
