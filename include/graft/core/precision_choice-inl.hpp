#pragma once
// Bodies of graft/core/precision_choice.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/precision_choice.hpp"

namespace graft {

GRAFT_INLINE std::string precision_name(precision p) {
  return p == precision::automatic ? "auto" : p == precision::f32 ? "f32" : p == precision::bf16 ? "bf16" : "f64";
}

GRAFT_INLINE precision parse_precision(const std::string& text) {
  for (const precision p : {precision::automatic, precision::f32, precision::bf16, precision::f64}) {
    if (text == precision_name(p)) return p;
  }
  throw config_error("precision is \"" + text + "\", one of auto, f32, bf16, f64 was expected");
}

}  // namespace graft
