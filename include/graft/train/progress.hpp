#pragma once
// How far a run has come, as a line for a host to print.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace graft {

/// What a progress line tells. Tested: tests/train/progress_test.cpp
struct progress_state {
  std::int64_t step = 0;
  std::int64_t total = 0;
  double loss = 0;
  double learning_rate = 0;
  std::optional<double> examples_per_second;
  std::optional<double> seconds_left;
};

/// "45 s", "12:05" (minutes), "3:07:00" (hours)
std::string format_duration(double seconds);

/// The line for STATE in at most WIDTH columns (bytes: it is plain ASCII), with a bar in front if BAR. In a narrow place it does
/// without the bar, then without learning rate, speed, time left, loss.
std::string format_progress(const progress_state& state, std::size_t width, bool bar);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/progress-inl.hpp"  // IWYU pragma: export
#endif
