#pragma once
// Bodies of graft/optim/pieces.hpp.

#include "graft/core/compiled.hpp"
#include "graft/optim/pieces.hpp"

namespace graft::detail {

GRAFT_INLINE index parameter_pieces(index elements) { return (elements + parameter_piece - 1) / parameter_piece; }

}  // namespace graft::detail
