#pragma once
// Bodies of graft/model/choose_precision.hpp.

#include "graft/core/compiled.hpp"
#include "graft/gemm/product.hpp"
#include "graft/model/choose_precision.hpp"

namespace graft {

GRAFT_INLINE precision effective_precision(precision wanted) {
  if (wanted != precision::automatic && wanted != precision::int8) return wanted;
#if defined(GRAFT_ONLY_F32)
  return precision::f32;
#else
  return chosen_tile_path().path == tile_path::portable ? precision::f32 : precision::bf16;
#endif
}

}  // namespace graft
