#pragma once
// Units of work that threads take one by one, each alone with one: no thread waits for another until all is done.

#include <omp.h>

#include <atomic>
#include <exception>

#include "graft/core/context.hpp"

namespace graft {

/// Calls f(i, own) for every i of 0 .. COUNT - 1. The units are handed out in order to ctx.threads threads, each of which has a context of
/// its own, OWN, of one thread, and works alone. Where there are fewer units than threads, they go one after the other with CTX itself,
/// whose threads share the work of each. What was counted and timed is added to CTX; of times the mean over the threads.
/// @throws what f throws, of the first unit that fails; units that have not begun then never do.   Tested: tests/core/workers_test.cpp
template <class F>
void for_each_unit(index count, context& ctx, F&& f) {
  if (ctx.threads <= 1 || count < ctx.threads) {
    for (index i = 0; i < count; ++i) f(i, ctx);
    return;
  }
  ctx.begin_workers();
  std::atomic<index> more{0};
  std::exception_ptr failure;
  index failed = count;
  {
    const timed time(ctx.times, operation::wait);
#pragma omp parallel num_threads(ctx.threads)
    {
      context& worker = ctx.worker(omp_get_thread_num());
      const timed worker_time(worker.times, operation::wait);
      const index team = omp_get_num_threads();  // one alone where the caller is one of a team, and OpenMP nests none
      // each begins with one of its own, so that all have their memory from the first call on
      for (index i = worker.worker_number; i < count; i = team + more++) {
        try {
          f(i, worker);
        } catch (...) {
          more = count;
#pragma omp critical(graft_unit_failed)
          if (i < failed) {
            failed = i;
            failure = std::current_exception();
          }
        }
      }
    }
  }
  ctx.end_workers();
  if (failure) std::rethrow_exception(failure);
}

/// Calls f(i) for every i of 0 .. COUNT - 1, rows of data for instance, on THREADS threads, which take some at a time.
/// @throws what f throws, of the first that fails, whatever the number of threads; later ones need not be done then
template <class F>
void for_each_item(index count, int threads, F&& f) {
  std::atomic<index> failed = count;
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic, 32) num_threads(threads)
  for (index i = 0; i < count; ++i) {
    if (i > failed) continue;
    try {
      f(i);
    } catch (...) {
#pragma omp critical(graft_item_failed)
      if (i < failed) {
        failed = i;
        failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace graft
