#pragma once
// How far a run has come: one line that updates in place on a terminal, now and then a plain line elsewhere.

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/number_text.hpp"

namespace graft {

/// What a progress line tells.
struct progress_state {
  std::int64_t step = 0;
  std::int64_t total = 0;
  double loss = 0;
  double learning_rate = 0;
  std::optional<double> examples_per_second;
  std::optional<double> seconds_left;
};

/// "45 s", "12:05" (minutes), "3:07:00" (hours)
inline std::string format_duration(double seconds) {
  const auto whole = std::llround(std::clamp(seconds, 0.0, 3.6e9));
  const auto two_digits = [](long long number) { return (number < 10 ? ":0" : ":") + std::to_string(number); };
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + two_digits(whole % 60);
  return std::to_string(whole / 3600) + two_digits(whole / 60 % 60) + two_digits(whole % 60);
}

/// The line for STATE in at most WIDTH columns (bytes: it is plain ASCII), with a bar in front if BAR. In a narrow place it does
/// without the bar, then without learning rate, speed, time left, loss.
inline std::string format_progress(const progress_state& state, std::size_t width, bool bar) {
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
    std::string line;
    for (const auto& each : parts) line += (line.empty() ? "" : "  ") + each.text;
    return line;
  };
  std::string line = joined();
  while (line.size() > width && parts.size() > 1) {
    parts.erase(std::max_element(parts.begin(), parts.end(), [](const part& a, const part& b) { return a.rank < b.rank; }));
    line = joined();
  }
  line.resize(std::min(line.size(), width));

  const std::size_t room = width - line.size();
  if (!bar || room < 14) return line;
  const std::size_t cells = std::min<std::size_t>(room - 4, 30);
  const double share = state.total > 0 ? std::clamp(static_cast<double>(state.step) / static_cast<double>(state.total), 0.0, 1.0) : 1.0;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
  return '[' + std::string(full, '=') + std::string(cells - full, ' ') + "]  " + line;
}

/// Shows the progress of a run of TOTAL steps on OUT, of which FIRST are behind it already.
/// On a terminal: one line, renewed at most ten times a second. Elsewhere: a line for each twentieth of the run, and after 30 s without
/// one.
class progress {
 public:
  using clock = std::chrono::steady_clock;

  progress(std::FILE* out, std::int64_t total, std::int64_t first = 0, clock::time_point now = clock::now())
      : out_(out), terminal_(::isatty(::fileno(out)) == 1), first_(first), started_(now), stepped_(now), printed_(now) {
    state_.total = total;
    state_.step = first;
  }
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  /// Step number STEP (counted from 1) is done: EXAMPLES examples had the mean loss LOSS.
  void update(std::int64_t step, double loss, double learning_rate, std::int64_t examples, clock::time_point now = clock::now()) {
    // Weighted means over about the last twenty steps; the weights' sum corrects for the start.
    weight_ = decay * weight_ + 1;
    loss_ = decay * loss_ + loss;
    examples_ = decay * examples_ + static_cast<double>(examples);
    seconds_ = decay * seconds_ + std::chrono::duration<double>(now - stepped_).count();
    stepped_ = now;

    const bool twentieth =
        step * 20 / std::max<std::int64_t>(1, state_.total) != state_.step * 20 / std::max<std::int64_t>(1, state_.total);
    state_.step = step;
    state_.loss = loss_ / weight_;
    state_.learning_rate = learning_rate;
    if (seconds_ > 0) state_.examples_per_second = examples_ / seconds_;
    const double elapsed = std::chrono::duration<double>(now - started_).count();
    if (step > first_) state_.seconds_left = elapsed / static_cast<double>(step - first_) * static_cast<double>(state_.total - step);

    const auto since = now - printed_;
    if (terminal_ ? shown_ && since < std::chrono::milliseconds(100) && step < state_.total
                  : !twentieth && since < std::chrono::seconds(30))
      return;
    printed_ = now;
    if (terminal_) {
      std::fprintf(out_, "\r%s\x1b[K", format_progress(state_, columns() - 1, true).c_str());  // a full line would wrap on some terminals
      shown_ = true;
    } else {
      std::fprintf(out_, "%s\n", format_progress(state_, 120, false).c_str());
    }
    std::fflush(out_);
  }

  /// Takes the line away: call it before anything else is printed. The time since the last step does not count as a step's time,
  /// so evaluations do not look like slow steps.
  void clear(clock::time_point now = clock::now()) {
    stepped_ = now;
    if (!shown_) return;
    std::fputs("\r\x1b[K", out_);
    std::fflush(out_);
    shown_ = false;
  }

 private:
  static constexpr double decay = 0.95;

  std::size_t columns() const {
    struct winsize size {};
    return ::ioctl(::fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  }

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

}  // namespace graft
