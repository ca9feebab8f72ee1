#pragma once
// Bodies of graft/train/progress.hpp.

#include <algorithm>
#include <cmath>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/text_list.hpp"
#include "graft/train/progress.hpp"

namespace graft {

GRAFT_INLINE std::string format_duration(double seconds) {
  const auto whole = std::llround(std::clamp(seconds, 0.0, 3.6e9));
  const auto two_digits = [](long long number) { return (number < 10 ? ":0" : ":") + std::to_string(number); };
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + two_digits(whole % 60);
  return std::to_string(whole / 3600) + two_digits(whole / 60 % 60) + two_digits(whole % 60);
}

GRAFT_INLINE std::string format_progress(const progress_state& state, std::size_t width, bool bar) {
  struct part {
    int rank;  // the highest goes first when there is no room
    std::string text;
  };
  const std::string total = std::to_string(state.total);
  std::string step = std::to_string(state.step);
  step.insert(0, total.size() - std::min(total.size(), step.size()), ' ');
  std::vector<part> parts{
      {0, step + "/" + total}, {1, "loss " + fixed_text(state.loss, 4)}, {4, "lr " + scientific_text(state.learning_rate, 2)}};
  if (state.examples_per_second)
    parts.push_back({3, fixed_text(*state.examples_per_second, *state.examples_per_second < 100 ? 1 : 0) + " ex/s"});
  if (state.seconds_left) parts.push_back({2, format_duration(*state.seconds_left) + " left"});

  const auto joined = [&] {
    return listed(
        parts, [](const part& each) { return each.text; }, "  ");
  };
  std::string line = joined();
  while (line.size() > width && parts.size() > 1) {
    parts.erase(std::max_element(parts.begin(), parts.end(), [](const part& a, const part& b) { return a.rank < b.rank; }));
    line = joined();
  }
  line.resize(std::min(line.size(), width));

  const std::size_t left = width - line.size();
  if (!bar || left < 14) return line;
  const std::size_t cells = std::min<std::size_t>(left - 4, 30);
  const double share = state.total > 0 ? std::clamp(static_cast<double>(state.step) / static_cast<double>(state.total), 0.0, 1.0) : 1.0;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
  return '[' + std::string(full, '=') + std::string(cells - full, ' ') + "]  " + line;
}

}  // namespace graft
