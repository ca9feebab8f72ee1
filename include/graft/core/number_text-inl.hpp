#pragma once
// Bodies of graft/core/number_text.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/number_text.hpp"

namespace graft {

GRAFT_INLINE std::string number_text(double value) { return detail::number_chars(value); }

GRAFT_INLINE std::string float_text(float value) { return detail::number_chars(value); }

GRAFT_INLINE std::string fixed_text(double value, int decimals) {
  std::string out = detail::number_chars(value, std::chars_format::fixed, decimals);
  if (out.front() == '-' && out.find_first_not_of("-0.") == std::string::npos) out.erase(0, 1);
  return out;
}

GRAFT_INLINE std::string scientific_text(double value, int decimals) {
  return detail::number_chars(value, std::chars_format::scientific, decimals);
}

}  // namespace graft
