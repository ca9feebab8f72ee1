#include "host/stop.hpp"

#include <csignal>
#include <cstdint>
#include <ctime>

#include "host/ranks.hpp"

namespace graft::program {
namespace {

std::atomic<bool> stop_flag = false;
std::atomic<std::int64_t> first_stop = 0;  // milliseconds of the monotonic clock

bool interrupt_was_ignored = false;

extern "C" void stop_by_signal(int signal, siginfo_t* about, void*) {
  // A script's background job ignores the Ctrl-C that its terminal gives to all; one that somebody sends to it is meant.
  if (signal == SIGINT && interrupt_was_ignored && about->si_code > 0) return;
  struct timespec clock {};
  ::clock_gettime(CLOCK_MONOTONIC, &clock);
  const std::int64_t now = clock.tv_sec * 1000 + clock.tv_nsec / 1'000'000;
  std::int64_t first = 0;
  stop_flag = true;
  // `timeout`, for one, sends each signal twice, to the program and to its group: only one that comes later ends the program.
  if (first_stop.compare_exchange_strong(first, now) || now - first < 1000) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

const std::atomic<bool>& stop_requested() {
  static const bool installed = [] {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {  // SIGHUP: the terminal was closed
      if (signal == SIGUSR1 && ranks() == nullptr) continue;
      struct sigaction now {};
      const bool ignored = ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
      if (signal == SIGINT) interrupt_was_ignored = ignored;
      if (ignored && signal != SIGINT) continue;  // under nohup
      struct sigaction ours {};
      ours.sa_sigaction = stop_by_signal;
      ours.sa_flags = SA_RESTART | SA_SIGINFO;
      ::sigaction(signal, &ours, nullptr);
    }
    std::signal(SIGPIPE, SIG_IGN);  // whoever read the progress has left: no reason to stop
    return true;
  }();
  (void)installed;
  return stop_flag;
}

}  // namespace graft::program
