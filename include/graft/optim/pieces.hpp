#pragma once
// Work on all parameters element by element: pieces of a fixed size, all in one parallel region.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "graft/core/parameter.hpp"

namespace graft::detail {

inline constexpr index parameter_piece = 4096;  // elements

index parameter_pieces(index elements);

/// Calls f(i, piece, begin, end) for all elements of every PARAMETERS[i] that has a gradient. PIECE counts through all of them.
template <class T, class F>
void for_each_piece(const std::vector<parameter<T>*>& parameters, int threads, F&& f) {
#pragma omp parallel num_threads(threads)
  {
    index before = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const index elements = parameters[i]->has_gradient() ? parameters[i]->size() : 0;
      const index pieces = parameter_pieces(elements);
#pragma omp for schedule(static) nowait
      for (index p = 0; p < pieces; ++p) f(i, before + p, p * parameter_piece, std::min(elements, (p + 1) * parameter_piece));
      before += pieces;
    }
  }
}

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/optim/pieces-inl.hpp"  // IWYU pragma: export
#endif
