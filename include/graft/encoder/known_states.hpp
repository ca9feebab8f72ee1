#pragma once
// What the lowest layers of an encoder make of sequences that they have seen before.

#include <cstddef>
#include <cstdint>
#include <span>

#include "graft/core/index.hpp"

namespace graft {

/// x_L of sequences, the hidden states behind the first L layers without dropout, as encoder::forward_below computed them. `find` may be
/// called from any thread.   Modeled by prefix_cache (train/prefix_cache.hpp)
class known_states {
 public:
  virtual ~known_states() = default;

  /// L
  virtual index layers() const = 0;
  /// The (T, H) numbers, row-major, of the sequence of T tokens IDS in segments TYPES; nullptr: it is not known.
  virtual const std::byte* find(std::span<const std::int32_t> ids, std::span<const std::int32_t> types) const = 0;
};

}  // namespace graft
