#pragma once
// Signals that ask a command to end.

#include <atomic>
#include <exception>

namespace graft::program {

/// The exit code of a command that a signal stopped.
inline constexpr int stopped_exit_code = 130;

/// Thrown where a command that waits is asked to end. Not an error of what it waits for.
class stopped : public std::exception {
 public:
  const char* what() const noexcept override { return "stopped by a signal"; }
};

/// Turns true at the first Ctrl-C, SIGTERM or SIGHUP; one that comes a second later or more ends the program at once. Signals that were
/// ignored when the program started, as under nohup, stay so; but a SIGINT that is sent to a background job counts. From the first call on;
/// SIGPIPE is ignored from then on, too. Where several processes run one command, SIGUSR1 counts as well, which mpirun hands on.
const std::atomic<bool>& stop_requested();

}  // namespace graft::program
