#pragma once
// How far a run has come: one line that updates in place on a terminal, now and then a plain line elsewhere.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "graft/train/progress.hpp"

namespace graft::program {

/// How far a prediction has come, in one line that is renewed on a terminal: "120000 rows  8123 rows/s  12:05 left". Elsewhere nothing.
class row_progress {
 public:
  using clock = std::chrono::steady_clock;

  /// Draws on OUT, if SHOWN and it is a terminal; SHARE of the rows are behind it already.
  row_progress(std::FILE* out, bool shown, std::optional<double> share, clock::time_point now = clock::now());
  row_progress(const row_progress&) = delete;
  row_progress& operator=(const row_progress&) = delete;
  ~row_progress() { clear(); }

  /// ROWS were answered since it began, and SHARE of all were read, if that is known.
  void update(std::uint64_t rows, std::optional<double> share, clock::time_point now = clock::now());
  void clear();
  static std::string text(std::uint64_t rows, double seconds, std::optional<double> seconds_left);

 private:
  std::FILE* out_;
  bool shown_, drawn_ = false;
  double first_share_;
  clock::time_point started_, drawn_at_;
};

/// Shows the progress of a run of TOTAL steps on OUT, of which FIRST are behind it already.
/// On a terminal: one line, renewed at most ten times a second. Elsewhere: a line for each twentieth of the run, and after 30 s without
/// one.
class progress {
 public:
  using clock = std::chrono::steady_clock;

  /// Draws on OUT; TOTAL steps are to be done, FIRST of them before now.
  progress(std::FILE* out, std::int64_t total, std::int64_t first = 0, clock::time_point now = clock::now());
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress();

  /// Step number STEP (counted from 1) is done: EXAMPLES examples had the mean loss LOSS.
  void update(std::int64_t step, double loss, double learning_rate, std::int64_t examples, clock::time_point now = clock::now());

  /// Takes the line away: call it before anything else is printed. The time since the last step does not count as a step's time,
  /// so evaluations do not look like slow steps.
  void clear(clock::time_point now = clock::now());

 private:
  static constexpr double decay = 0.95;

  std::FILE* out_;
  bool terminal_;
  std::int64_t first_;
  progress_state state_;
  double weight_ = 0;
  double loss_ = 0;
  double examples_ = 0;
  double seconds_ = 0;
  clock::time_point started_;
  clock::time_point stepped_;
  clock::time_point printed_;
  bool shown_ = false;
};

}  // namespace graft::program
