#pragma once
// From a precision chosen at run time to code compiled for it.

#include "graft/core/error.hpp"
#include "graft/core/precision.hpp"
#include "graft/core/precision_choice.hpp"

namespace graft {

/// WANTED, or what `automatic` is here, and what goes around the products of int8: bf16 where the processor has instructions for it (AMX,
/// AVX-512 BF16 or NEON's), else f32.
precision effective_precision(precision wanted);

/// F(P{}) for the number type P that WANTED is here. Of headers alone, a program that defines GRAFT_ONLY_F32 has f32 alone, for speed of
/// building, and f64, to check with, is in those that define GRAFT_WITH_F64, as graft::compiled does, unless it is built without.
/// @throws config_error  it was built without WANTED
template <class F>
auto in_precision(precision wanted, F&& f) {
  wanted = effective_precision(wanted);
#if !defined(GRAFT_ONLY_F32)
  if (wanted == precision::bf16) return f(bf16{});
#if defined(GRAFT_WITH_F64)
  if (wanted == precision::f64) return f(f64{});
#endif
#endif
  if (wanted == precision::f32) return f(f32{});
  throw config_error("this program was built without " + precision_name(wanted) +
                     ": GRAFT_ONLY_F32 leaves f32 alone, and f64 needs GRAFT_WITH_F64, or graft::compiled with GRAFT_F64=ON");
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/model/choose_precision-inl.hpp"  // IWYU pragma: export
#endif
