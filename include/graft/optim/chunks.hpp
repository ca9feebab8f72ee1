#pragma once
// Work on all parameters element by element: chunks of a fixed size, all in one parallel region.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "graft/core/parameter.hpp"

namespace graft::detail {

inline constexpr index chunk_elements = 4096;

index chunk_count(index elements);

/// Calls f(i, chunk, begin, end) for all elements of every PARAMETERS[i] that has a gradient. CHUNK counts through all of them.
template <class T, class F>
void for_each_chunk(const std::vector<parameter<T>*>& parameters, int threads, F&& f) {
#pragma omp parallel num_threads(threads)
  {
    index before = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const index elements = parameters[i]->has_gradient() ? parameters[i]->size() : 0;
      const index chunks = chunk_count(elements);
#pragma omp for schedule(static) nowait
      for (index chunk = 0; chunk < chunks; ++chunk)
        f(i, before + chunk, chunk * chunk_elements, std::min(elements, (chunk + 1) * chunk_elements));
      before += chunks;
    }
  }
}

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/optim/chunks-inl.hpp"  // IWYU pragma: export
#endif
