#include "run/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "graft/core/number_text.hpp"

namespace graft::program {

std::string format_duration(double seconds) {
  const auto whole = std::llround(std::clamp(seconds, 0.0, 3.6e9));
  const auto two_digits = [](long long number) { return (number < 10 ? ":0" : ":") + std::to_string(number); };
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + two_digits(whole % 60);
  return std::to_string(whole / 3600) + two_digits(whole / 60 % 60) + two_digits(whole % 60);
}

std::string format_progress(const progress_state& state, std::size_t width, bool bar) {
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

progress::progress(std::FILE* out, std::int64_t total, std::int64_t first, clock::time_point now)
    : out_(out), terminal_(::isatty(::fileno(out)) == 1), first_(first), started_(now), stepped_(now), printed_(now) {
  state_.total = total;
  state_.step = first;
}

progress::~progress() { clear(); }

void progress::update(std::int64_t step, double loss, double learning_rate, std::int64_t examples, clock::time_point now) {
  // Weighted means over about the last twenty steps; the weights' sum corrects for the start.
  weight_ = decay * weight_ + 1;
  loss_ = decay * loss_ + loss;
  examples_ = decay * examples_ + static_cast<double>(examples);
  seconds_ = decay * seconds_ + std::chrono::duration<double>(now - stepped_).count();
  stepped_ = now;

  const bool twentieth = step * 20 / std::max<std::int64_t>(1, state_.total) != state_.step * 20 / std::max<std::int64_t>(1, state_.total);
  state_.step = step;
  state_.loss = loss_ / weight_;
  state_.learning_rate = learning_rate;
  if (seconds_ > 0) state_.examples_per_second = examples_ / seconds_;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  if (step > first_) state_.seconds_left = elapsed / static_cast<double>(step - first_) * static_cast<double>(state_.total - step);

  const auto since = now - printed_;
  if (terminal_ ? shown_ && since < std::chrono::milliseconds(100) && step < state_.total : !twentieth && since < std::chrono::seconds(30))
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

void progress::clear(clock::time_point now) {
  stepped_ = now;
  if (!shown_) return;
  std::fputs("\r\x1b[K", out_);
  std::fflush(out_);
  shown_ = false;
}

std::size_t progress::columns() const {
  struct winsize size {};
  return ::ioctl(::fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace graft::program
