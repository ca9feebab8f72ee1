#pragma once
// The precision of products, chosen at run time.

#include <cstdint>
#include <string>

namespace graft {

/// automatic: bf16 where the processor has instructions for it, else f32 (model/choose_precision.hpp). int8: the frozen layers of the
/// encoder multiply in 8 bits on the way forward (gemm/int8_product.hpp), all else, and all of the way back, is as automatic has it. The
/// other names are those of core/precision.hpp.
enum class precision : std::uint8_t { automatic, f32, bf16, f64, int8 };

/// "auto", "f32", "bf16", "f64" or "int8"
std::string precision_name(precision p);

/// @throws config_error  TEXT is none of the five
precision parse_precision(const std::string& text);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/precision_choice-inl.hpp"  // IWYU pragma: export
#endif
