#pragma once
// The type of sizes and places.

#include <cstddef>

namespace graft {

/// Rows, columns, lengths and places; signed, so that differences are.
using index = std::ptrdiff_t;

}  // namespace graft
