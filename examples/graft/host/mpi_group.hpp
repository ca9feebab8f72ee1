#pragma once
// Processes that MPI started together: the one place that knows MPI. Built with GRAFT_MPI=ON; else there are never several.

#include <cstdint>
#include <memory>

#include "graft/core/rank_group.hpp"

namespace graft::program {

/// MPI's processes. Joined once in the life of a process; all of them have to `leave` before they end, or one `abort`s all.
class mpi_group : public rank_group {
 public:
  /// Whether something like mpirun started more than this process.
  static bool several();
  /// Null where nothing like mpirun started this process.
  /// @throws backend_error  MPI refuses
  /// @throws config_error  there are several, and this program was built without MPI, or with another one than started them
  static std::unique_ptr<mpi_group> join();

  /// How many of the processes may use exactly the processors that this one may use.
  virtual std::int64_t sharing() const = 0;
  /// Whether this process may say why all end: true on the first that asks, of some at once on that of the lowest rank, false on the
  /// others.
  virtual bool claim_last_words() = 0;
  /// Waits for all others to leave, too.
  virtual void leave() = 0;
  /// Ends all processes.
  virtual void abort(int exit_code) = 0;
};

}  // namespace graft::program
