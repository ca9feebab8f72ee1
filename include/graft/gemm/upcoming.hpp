#pragma once
// What a kernel fetches for the products that follow.

#include <algorithm>

#include "graft/core/types.hpp"

namespace graft::detail {

/// LINES of 64 bytes, FROM on, that the next products read: a kernel asks for AT_ONCE of them with each tile that it multiplies, so that
/// weights that come from memory are in cache by then. Processors that fetch ahead by themselves stop at the ends of pages. It goes to
/// functions by its address: a copy would be made in wide registers, and those of members just written wait for all that was written
/// before.
struct upcoming {
  const char* from = nullptr;
  index lines = 0, at_once = 0;

  /// Even parts, of EACH lines.
  struct parts {
    const char* from;
    index lines, each, at_once;

    upcoming operator[](index i) const { return {from + i * each * 64, std::clamp<index>(lines - i * each, 0, each), at_once}; }
  };
  /// COUNT parts, each to be fetched while TILES go by.
  parts in_parts(index count, index tiles) const {
    const index each = count > 0 ? (lines + count - 1) / count : 0;
    return {from, lines, each, tiles > 0 ? (each + tiles - 1) / tiles : 0};
  }
  [[gnu::always_inline]] void fetch() {
    for (index i = 0; i < at_once && lines > 0; ++i, --lines, from += 64) __builtin_prefetch(from, 0, 2);
  }
};

}  // namespace graft::detail
