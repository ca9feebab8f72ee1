#pragma once
// Bodies of graft/core/precision_choice.hpp.

#include <cstddef>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/precision_choice.hpp"

namespace graft {

GRAFT_INLINE std::string precision_name(precision p) {
  constexpr const char* names[] = {"auto", "f32", "bf16", "f64", "int8"};
  return names[static_cast<std::size_t>(p)];
}

GRAFT_INLINE precision parse_precision(const std::string& text) {
  for (const precision p : {precision::automatic, precision::f32, precision::bf16, precision::f64, precision::int8}) {
    if (text == precision_name(p)) return p;
  }
  throw config_error("precision is \"" + text + "\", one of auto, f32, bf16, f64, int8 was expected");
}

}  // namespace graft
