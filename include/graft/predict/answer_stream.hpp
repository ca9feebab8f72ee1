#pragma once
// Answers to rows as they come, in order, with memory for a window of them: of rows without end, and of more than fit in memory.

#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/data/example.hpp"
#include "graft/predict/predictor.hpp"

namespace graft {

class rank_group;

/// How a stream of rows is answered.
struct answer_stream_options {
  index batch_size = 0;                     // rows that go through at once, at most; 0: as many as are good for speed
  int threads = 0;                          // 0: as many as OpenMP takes; no more than processors (core/threads.hpp)
  bool keep_bad_rows = false;               // a row without an answer is one with an `error`, and does not end the stream
  std::function<bool()> ready{};            // whether the next row would come at once: those before it are answered if not. Without: always
  const std::atomic<bool>* stop = nullptr;  // true ends the stream as soon as may be
  rank_group* group = nullptr;              // processes that share the work, this one the first (predict/shared_answers.hpp); null: none
};

/// The answers to rows one after the other: `for (const answer& a : answer_stream(model, rows))`. Rows are read some at a time, a window,
/// which holds as many as are computed in about two seconds and fit in some megabytes; they go through the model sorted by length, those of
/// one content once, and come back in order. None of that changes an answer. The predictor has to outlive the stream.
/// Source: none.   Tested: tests/predict/answer_stream_test.cpp
class answer_stream {
 public:
  /// NEXT_ROW(row) gives the next row, false when there is none.
  answer_stream(const predictor& model, std::function<bool(example&)> next_row, answer_stream_options options = {})
      : model_(&model), next_row_(std::move(next_row)), options_(std::move(options)) {}
  /// The rows of a container or another range of examples, which has to outlive the stream.
  template <class Rows>
  requires requires(Rows& rows) {
    { *std::begin(rows) } -> std::convertible_to<example>;
  }
  answer_stream(const predictor& model, Rows& rows, answer_stream_options options = {})
      : answer_stream(
            model,
            [at = std::begin(rows), end = std::end(rows)](example& row) mutable {
              if (at == end) return false;
              row = *at;
              ++at;
              return true;
            },
            std::move(options)) {}

  /// ANSWER becomes the next row's; false when there are no more rows.
  /// @throws row_error  the row cannot be answered, as of predictor::predict, and bad rows are not kept; rows are counted from 0, and all
  ///                    before it have been answered. Then, and when NEXT_ROW throws, which comes behind the answers to the rows before
  ///                    in the same way, the stream is at its end
  bool next(answer& answer);
  /// The answers to the next window, but for those that were given already; none when there are no more rows. Good until the next call.
  std::span<const answer> next_window();

  /// Whether it ended because this process, or another one of the group, was asked to stop.
  bool stopped() const { return stopped_; }

  /// The answers as a range, to be gone through once.
  class iterator {
   public:
    using value_type = answer;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    explicit iterator(answer_stream& of) : of_(&of) { ++*this; }
    const answer& operator*() const { return of_->current_; }
    const answer* operator->() const { return &of_->current_; }
    iterator& operator++() {
      if (!of_->next(of_->current_)) of_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& a, std::default_sentinel_t) { return a.of_ == nullptr; }

   private:
    answer_stream* of_ = nullptr;
  };
  /// The next answer, and behind the last.
  iterator begin() { return iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  void read_window();
  void answer_window();
  std::size_t bytes_of(const example& row, bool states) const;

  const predictor* model_;
  std::function<bool(example&)> next_row_;
  answer_stream_options options_;
  std::vector<example> rows_;  // of the window
  std::vector<answer> answers_;
  std::size_t given_ = 0;            // of them
  std::size_t size_ = first_window;  // rows in a window
  index before_ = 0;                 // rows before the window
  std::exception_ptr failure_;       // behind the answers
  bool ended_ = false, stopped_ = false;
  answer current_;

  static constexpr std::size_t first_window = 128;      // and the smallest
  static constexpr std::size_t largest_window = 8192;   // beyond that nothing is gained
  static constexpr std::size_t most_bytes = 16U << 20;  // about what the rows, their tokens and answers of a window take
  static constexpr double seconds_of_window = 2;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/predict/answer_stream-inl.hpp"  // IWYU pragma: export
#endif
