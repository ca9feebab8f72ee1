#pragma once
// A table of answers that stopped goes on, if it can be of the same rows, model and flags.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "graft/predict/predictor.hpp"
#include "run/answer_format.hpp"
#include "run/answer_output.hpp"

namespace graft::program {

/// What answers would be given now.
struct asked_now {
  std::string source;  // where rows come from, for errors
  const std::function<bool(example&)>& next_row;
  const predictor& model;
  const answer_format& format;
  bool allows_bad_rows;
  std::uint64_t each;  // answers of a row
  double rounding;  // by which numbers may differ where they depend on the batch, as a part of them, or of 1; a vector four times as far,
                    // as a part of its length

  /// The line of the file, from 1, where the first record stands.
  std::uint64_t first_line() const { return format.counts_rows() || format.header(0).empty() ? 1 : 2; }
};

/// Goes over the rows of NOW that have their answers in the file PATH, or in the one beside it, and lets OUTPUT go on behind them. How many
/// they are, and how many of them have no answer. All records are of their rows; about 64 answers from all over the table, the last, and
/// that to the longest row are computed again.
/// @throws format_error  these cannot be the answers to these rows, or are no table; the file stays as it is
std::pair<std::uint64_t, std::uint64_t> resume_answers(const std::string& path, const asked_now& now, answer_output& output);

}  // namespace graft::program
