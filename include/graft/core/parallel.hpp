#pragma once
// Loops over rows on several threads. Work is cut into fixed-size pieces, so that sums do not depend on the number of threads.

#include <omp.h>

#include <algorithm>

#include "graft/core/bfloat16.hpp"
#include "graft/core/types.hpp"

namespace graft {

/// Calls f(begin, end) for consecutive pieces of 0 .. n - 1 that hold at most GRAIN items. f must not throw. Inside f,
/// omp_get_thread_num() is below THREADS, even where the caller is one of a team of its own.
template <class F>
void parallel_for(index n, index grain, int threads, F&& f) {
  const index chunks = (n + grain - 1) / grain;
  const int team = chunks > 1 && threads > 1 ? threads : 1;
#pragma omp parallel for schedule(static) num_threads(team)
  for (index chunk = 0; chunk < chunks; ++chunk) f(chunk * grain, std::min(n, (chunk + 1) * grain));
}

/// TO = FROM, rounded where the types differ.
template <class A, class B>
void convert_rows(const const_view<A>& from, view<B> to, int threads) {
  parallel_for(from.rows(), 4, threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) convert(from.row_data(r), to.row_data(r), from.cols());
  });
}

}  // namespace graft
