#pragma once
// A batch of sequences as packed rows: one row a real token, no padding.

#include <cstdint>
#include <span>
#include <vector>

#include "graft/core/types.hpp"
#include "graft/data/example.hpp"

namespace graft {

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
