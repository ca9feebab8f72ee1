#pragma once
// A batch of sequences as packed rows: one row a real token, no padding.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "graft/core/types.hpp"
#include "graft/data/example.hpp"

namespace graft {

/// Tokens that go through a model at once, unless told otherwise: enough for its products, few enough for memory.
inline constexpr index usual_tokens_at_once = 1024;

/// B sequences, their N tokens laid end to end; sequence b owns rows offsets[b] .. offsets[b + 1] - 1.
struct batch {
  std::vector<std::int32_t> input_ids;       // (N)
  std::vector<std::int32_t> token_type_ids;  // (N)
  std::vector<index> offsets{0};             // (B + 1)
  std::vector<std::int32_t> labels;          // (B) class ids
  std::vector<double> targets;               // (B) regression values

  index rows() const { return offsets.back(); }
  index size() const { return static_cast<index>(offsets.size()) - 1; }

  void clear() {
    input_ids.clear();
    token_type_ids.clear();
    offsets.assign(1, 0);
    labels.clear();
    targets.clear();
  }
  /// Becomes the sequences FIRST .. LAST - 1 of WHOLE.
  batch& assign(const batch& whole, index first, index last) {
    const index begin = whole.offsets[static_cast<std::size_t>(first)], end = whole.offsets[static_cast<std::size_t>(last)];
    const auto cut = [](const auto& from, index a, index b, auto& to) { to.assign(from.begin() + a, from.begin() + b); };
    cut(whole.input_ids, begin, end, input_ids);
    cut(whole.token_type_ids, begin, end, token_type_ids);
    cut(whole.offsets, first, last + 1, offsets);
    for (index& offset : offsets) offset -= begin;
    cut(whole.labels, first, last, labels);
    cut(whole.targets, first, last, targets);
    return *this;
  }
  /// Becomes the rows of ROWS from FIRST on: up to COUNT of them, and about TOKENS tokens (0: however many), but at least one. Returns
  /// where the next ones begin.
  std::size_t fill(std::span<const features> rows_of_set, std::size_t first, index count, index tokens) {
    clear();
    const std::size_t end = std::min(rows_of_set.size(), first + static_cast<std::size_t>(count));
    while (first < end && (size() == 0 || tokens == 0 || rows() + std::ssize(rows_of_set[first].input_ids) <= tokens))
      add(rows_of_set[first++]);
    return first;
  }
  void add(const features& row) {
    input_ids.insert(input_ids.end(), row.input_ids.begin(), row.input_ids.end());
    token_type_ids.insert(token_type_ids.end(), row.token_type_ids.begin(), row.token_type_ids.end());
    token_type_ids.resize(input_ids.size(), 0);
    offsets.push_back(static_cast<index>(input_ids.size()));
    labels.push_back(row.label);
    targets.push_back(row.target);
  }
};

}  // namespace graft
