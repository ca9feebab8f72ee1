#pragma once
// Bodies of graft/core/range.hpp.

#include <cmath>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/range.hpp"

namespace graft::detail {

/// "1000000000", not "1e+09"
GRAFT_INLINE std::string plain_text(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? fixed_text(value, 0) : number_text(value);
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE bool range::contains(double value) const {
  return (above ? value > least : value >= least) && (below ? value < most : value <= most);
}

GRAFT_INLINE std::string range::text() const {
  return (above ? "above " : "") + detail::plain_text(least) + (below ? " to less than " : " to ") + detail::plain_text(most);
}

GRAFT_INLINE void check_range(const char* name, double value, const range& allowed) {
  if (allowed.contains(value)) return;
  throw config_error(std::string(name) + " is " + detail::plain_text(value) + ", " + allowed.text() + " was expected");
}

}  // namespace graft
