#pragma once
// Bodies of graft/train/evaluation.hpp.

#include <algorithm>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/data/featurize.hpp"
#include "graft/train/evaluation.hpp"

namespace graft {

GRAFT_INLINE std::vector<std::size_t> batch_cuts(std::span<const features> rows, index batch_size, index tokens) {
  std::vector<std::size_t> cuts{0};
  while (cuts.back() < rows.size()) cuts.push_back(end_of_batch(rows, cuts.back(), batch_size, tokens));
  return cuts;
}

GRAFT_INLINE bool gather_rows(rank_group& group, std::span<const std::size_t> cuts, bool done, matrix<double>& all) {
  // a rank after the other: whether it is done, and its rows
  const auto columns = static_cast<std::size_t>(all.cols()), ranks = static_cast<std::size_t>(group.size());
  const auto for_rows_of = [&](std::size_t rank, auto&& f) {
    for (std::size_t i = rank; i + 1 < cuts.size(); i += ranks) f(all.data() + cuts[i] * columns, (cuts[i + 1] - cuts[i]) * columns);
  };
  std::vector<std::size_t> begins{0};
  for (std::size_t r = 0; r < ranks; ++r) {
    std::size_t count = 1;
    for_rows_of(r, [&](const double*, std::size_t n) { count += n; });
    begins.push_back(begins.back() + count * sizeof(double));
  }
  std::vector<double> told(begins.back() / sizeof(double));
  const auto part_of = [&](std::size_t r) { return told.data() + begins[r] / sizeof(double); };
  double* to = part_of(static_cast<std::size_t>(group.rank()));
  *to++ = done ? 1 : 0;
  for_rows_of(static_cast<std::size_t>(group.rank()), [&](const double* rows, std::size_t n) { to = std::copy_n(rows, n, to); });
  group.all_gather(std::as_writable_bytes(std::span(told)), begins);
  for (std::size_t r = 0; r < ranks; ++r) {
    if (*part_of(r) == 0) return false;
  }
  for (std::size_t r = 0; r < ranks; ++r) {
    const double* from = part_of(r) + 1;
    for_rows_of(r, [&](double* into, std::size_t n) { std::copy_n(std::exchange(from, from + n), n, into); });
  }
  return true;
}

GRAFT_INLINE void require_finite(const_view<double> answers) {
  for (index r = 0; r < answers.rows(); ++r) {
    if (answers.row(r).allFinite()) continue;
    throw row_error(r,
                    "the model's answer is no finite number: its weights, though finite, are too large to compute with (has training "
                    "diverged?)");
  }
}

}  // namespace graft
