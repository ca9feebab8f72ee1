#pragma once
// Bodies of graft/optim/chunks.hpp.

#include "graft/core/compiled.hpp"
#include "graft/optim/chunks.hpp"

namespace graft::detail {

GRAFT_INLINE index chunk_count(index elements) { return (elements + chunk_elements - 1) / chunk_elements; }

}  // namespace graft::detail
