#pragma once
// Bodies of graft/model/choose_precision.hpp.

#include "graft/core/compiled.hpp"
#include "graft/gemm/product.hpp"
#include "graft/model/choose_precision.hpp"

namespace graft {

GRAFT_INLINE precision effective_precision(precision wanted) {
  if (wanted != precision::automatic) return wanted;
  return chosen_tile_path().path == tile_path::amx ? precision::bf16 : precision::f32;
}

}  // namespace graft
