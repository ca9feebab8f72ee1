#pragma once
// Bodies of graft/predict/answer_stream.hpp.

#include <algorithm>
#include <chrono>

#include "graft/core/compiled.hpp"
#include "graft/data/featurize.hpp"
#include "graft/predict/answer_stream.hpp"
#include "graft/predict/shared_answers.hpp"

namespace graft {

GRAFT_INLINE bool answer_stream::next(answer& a) {
  if (given_ == answers_.size()) answer_window();
  if (given_ == answers_.size()) return false;
  a = std::move(answers_[given_++]);
  return true;
}

GRAFT_INLINE std::span<const answer> answer_stream::next_window() {
  if (given_ == answers_.size()) answer_window();
  return std::span<const answer>(answers_).subspan(std::exchange(given_, answers_.size()));
}

GRAFT_INLINE void answer_stream::answer_window() {
  using clock = std::chrono::steady_clock;
  answers_.clear();
  given_ = 0;
  if (!ended_) read_window();
  if (rows_.empty() && failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (rows_.empty()) return;
  const auto begun = clock::now();
  answers_ = options_.group == nullptr
                 ? model_->predict_each(rows_, options_.batch_size, options_.threads, options_.stop)
                 : shared_answers(*options_.group, *model_, rows_, options_.batch_size, options_.threads, options_.stop);
  const double seconds = std::chrono::duration<double>(clock::now() - begun).count();
  if (rows_.size() == size_) {
    const double more = std::min(4.0, seconds_of_window / std::max(seconds, 1e-6));
    size_ = std::clamp(static_cast<std::size_t>(static_cast<double>(size_) * more), first_window, largest_window);
  }
  const auto bad = std::find_if(answers_.begin(), answers_.end(), [](const answer& a) { return !a.error.empty(); });
  stopped_ = answers_.empty();
  ended_ = ended_ || stopped_;
  if (bad != answers_.end() && !options_.keep_bad_rows) {
    failure_ = std::make_exception_ptr(row_error(before_ + (bad - answers_.begin()), bad->error));
    ended_ = true;
    answers_.erase(bad, answers_.end());
  }
  before_ += std::ssize(rows_);
  rows_.clear();
  if (answers_.empty() && failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

GRAFT_INLINE void answer_stream::read_window() {
  const bool states = model_->names().empty();  // of rows that name no adapter, or the model's own head answers
  try {
    for (std::size_t bytes = 0; rows_.size() < size_ && bytes < most_bytes;) {
      if (!rows_.empty() && options_.ready && !options_.ready()) return;
      example row;
      ended_ = !next_row_(row);
      if (ended_) return;
      bytes += bytes_of(row, row.adapter.empty() ? states : row.adapter == predictor::bare_trunk);
      rows_.push_back(std::move(row));
    }
  } catch (...) {
    failure_ = std::current_exception();
    ended_ = true;
  }
}

/// About what ROW takes, as text, tokens and answer, which may be hidden STATES.
GRAFT_INLINE std::size_t answer_stream::bytes_of(const example& row, bool states) const {
  std::size_t text = row.text_a.size() + (row.text_b ? row.text_b->size() : 0);
  for (const std::string& word : row.words) text += word.size() + 10;
  const index embedded = model_->embedding_size();
  const auto numbers = static_cast<std::size_t>(embedded > 0 ? embedded : states ? model_->config().hidden_size : 0);
  return sizeof(example) + sizeof(features) + 2 * sizeof(answer) + 10 * text + 20 * row.input_ids.size() + 40 * numbers;
}

}  // namespace graft
