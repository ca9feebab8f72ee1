#include "run/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "graft/core/number_text.hpp"

namespace graft::program {

namespace {

/// Of the terminal that OUT is; 80 if it does not say.
std::size_t columns(std::FILE* out) {
  struct winsize size {};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

row_progress::row_progress(std::FILE* out, bool shown, std::optional<double> share, clock::time_point now)
    : out_(out), shown_(shown && ::isatty(::fileno(out)) == 1), first_share_(share.value_or(0)), started_(now) {}

void row_progress::update(std::uint64_t rows, std::optional<double> share, clock::time_point now) {
  if (!shown_ || (drawn_ && now - drawn_at_ < std::chrono::milliseconds(100))) return;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  std::optional<double> left;
  if (share && *share > first_share_) left = seconds / (*share - first_share_) * (1 - *share);
  std::fprintf(out_, "\r%s\x1b[K", text(rows, seconds, left).substr(0, columns(out_) - 1).c_str());
  std::fflush(out_);
  drawn_ = true;
  drawn_at_ = now;
}

void row_progress::clear() {
  if (!std::exchange(drawn_, false)) return;
  std::fputs("\r\x1b[K", out_);
  std::fflush(out_);
}

std::string row_progress::text(std::uint64_t rows, double seconds, std::optional<double> seconds_left) {
  const double speed = static_cast<double>(rows) / std::max(seconds, 1e-3);
  std::string line = std::to_string(rows) + " rows  " + fixed_text(speed, speed < 100 ? 1 : 0) + " rows/s";
  if (seconds_left) line += "  " + format_duration(*seconds_left) + " left";
  return line;
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
    std::fprintf(out_, "\r%s\x1b[K", format_progress(state_, columns(out_) - 1, true).c_str());  // a full line would wrap on some terminals
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

}  // namespace graft::program
