#pragma once
// What a kernel fetches for the products that follow.

#include <algorithm>

#include "graft/core/types.hpp"

namespace graft::detail {

/// LINES of 64 bytes, FROM on, that the next products read: a kernel asks for AT_ONCE of them with each tile that it multiplies, so that
/// weights that come from memory are in cache by then. Processors that fetch ahead by themselves stop at the ends of pages.
struct upcoming {
  const char* from = nullptr;
  index lines = 0, at_once = 0;

  /// Part I of PARTS, to be fetched while TILES go by.
  upcoming part(index i, index parts, index tiles) const {
    const index each = (lines + parts - 1) / parts, count = std::clamp<index>(lines - i * each, 0, each);
    return {from + i * each * 64, count, tiles > 0 ? (count + tiles - 1) / tiles : 0};
  }
  [[gnu::always_inline]] void fetch() {
    for (index i = 0; i < at_once && lines > 0; ++i, --lines, from += 64) __builtin_prefetch(from, 0, 2);
  }
};

}  // namespace graft::detail
