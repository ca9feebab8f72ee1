#pragma once
// Bodies of graft/data/batch.hpp.

#include <algorithm>
#include <numeric>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/data/batch.hpp"

namespace graft {

GRAFT_INLINE index batch::size() const { return static_cast<index>(offsets.size()) - 1; }

GRAFT_INLINE index batch::cost(index first, index last) const {
  index sum = 0;
  for (auto begin = offsets.begin() + first; first < last; ++first, ++begin) sum += sequence_cost(begin[1] - begin[0]);
  return sum;
}

GRAFT_INLINE void batch::clear() {
  input_ids.clear();
  token_type_ids.clear();
  offsets.assign(1, 0);
  labels.clear();
  targets.clear();
  label_sets.clear();
  set_offsets.assign(1, 0);
  answering.clear();
  answer_offsets.assign(1, 0);
}

GRAFT_INLINE batch& batch::assign(const batch& whole, index first, index last) {
  const index begin = whole.offsets[static_cast<std::size_t>(first)], end = whole.offsets[static_cast<std::size_t>(last)];
  const auto cut = [](const auto& from, index a, index b, auto& to) { to.assign(from.begin() + a, from.begin() + b); };
  cut(whole.input_ids, begin, end, input_ids);
  cut(whole.token_type_ids, begin, end, token_type_ids);
  cut(whole.offsets, first, last + 1, offsets);
  for (index& offset : offsets) offset -= begin;
  if (whole.answering.empty() && std::ssize(whole.labels) == whole.size()) {
    cut(whole.labels, first, last, labels);
    answering.clear();
    answer_offsets.assign(offsets.size(), 0);
  } else {
    const index asked = whole.answer_offsets[static_cast<std::size_t>(first)];
    cut(whole.answer_offsets, first, last + 1, answer_offsets);
    for (index& offset : answer_offsets) offset -= asked;
    cut(whole.labels, asked, asked + answer_offsets.back(), labels);
    cut(whole.answering, asked, asked + answer_offsets.back(), answering);
    for (index& row : answering) row -= begin;
  }
  cut(whole.targets, first, last, targets);
  label_sets.clear();
  set_offsets.assign(1, 0);
  if (whole.set_offsets.size() != whole.offsets.size()) return *this;  // none were given
  const index from = whole.set_offsets[static_cast<std::size_t>(first)];
  cut(whole.set_offsets, first, last + 1, set_offsets);
  for (index& offset : set_offsets) offset -= from;
  cut(whole.label_sets, from, from + set_offsets.back(), label_sets);
  return *this;
}

GRAFT_INLINE std::size_t batch::fill(std::span<const features> rows_of_set, std::size_t first, index count, index tokens) {
  clear();
  const std::size_t end = end_of_batch(rows_of_set, first, count, tokens);
  while (first < end) add(rows_of_set[first++]);
  return first;
}

GRAFT_INLINE std::size_t end_of_batch(std::span<const features> rows, std::size_t first, index count, index tokens) {
  const std::size_t end = std::min(rows.size(), first + static_cast<std::size_t>(count));
  std::size_t last = first;
  for (index sum = 0; last < end; ++last) {
    sum += std::ssize(rows[last].input_ids);
    if (last > first && tokens != 0 && sum > tokens) break;
  }
  return last;
}

GRAFT_INLINE void batch::add(const features& row) {
  input_ids.insert(input_ids.end(), row.input_ids.begin(), row.input_ids.end());
  token_type_ids.insert(token_type_ids.end(), row.token_type_ids.begin(), row.token_type_ids.end());
  token_type_ids.resize(input_ids.size(), 0);
  for (const std::int32_t token : row.answering) answering.push_back(offsets.back() + token);
  offsets.push_back(static_cast<index>(input_ids.size()));
  add_answer(row);
}

GRAFT_INLINE void batch::add_answer(const features& row) {
  if (row.words) {
    labels.insert(labels.end(), row.tags.begin(), row.tags.end());
  } else {
    labels.push_back(row.label);
  }
  answer_offsets.push_back(answer_offsets.back() + std::ssize(row.answering));
  targets.push_back(row.target);
  label_sets.insert(label_sets.end(), row.label_set.begin(), row.label_set.end());
  set_offsets.push_back(std::ssize(label_sets));
}

GRAFT_INLINE void micro_batches(const batch& b, index tokens, std::vector<index>& cuts) {
  const index rows = b.rows();
  const index parts = tokens == 0 || 2 * rows <= tokens ? 1 : rows <= tokens ? 2 : (rows + 4 * tokens - 1) / (4 * tokens) * 4;
  const auto end = [&](index sequences) { return b.offsets[static_cast<std::size_t>(sequences)]; };
  const index all = b.cost(0, b.size());
  cuts.assign(1, 0);
  for (index i = 1, part = 1, before = 0; i < b.size(); ++i) {
    before += b.cost(i - 1, i);
    const index middle = 2 * before + b.cost(i, i + 1);  // twice: an even share that ends before it ends nearer to the begin of i
    const auto reached = [&] { return part < parts && middle * parts >= 2 * all * part; };
    const bool full = tokens > 0 && 8 * (end(i + 1) - end(cuts.back())) > 9 * tokens;
    if (full || reached()) cuts.push_back(i);
    if (full && !reached()) ++part;  // else the next even share would end soon, and be a small one
    while (reached()) ++part;
  }
  if (b.size() > 0) cuts.push_back(b.size());
}

GRAFT_INLINE void largest_first(std::span<const index> costs, index last, std::vector<index>& order) {
  order.resize(costs.size());
  std::iota(order.begin(), order.end(), index{0});
  const auto key = [&](index i) { return std::pair(-costs[static_cast<std::size_t>(i)], i); };
  std::sort(order.end() - std::min(last, std::ssize(costs)), order.end(), [&](index a, index b) { return key(a) < key(b); });
}

}  // namespace graft
