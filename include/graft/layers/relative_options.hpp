#pragma once
// What attention is told of the distance between two tokens, without the code that computes it.

#include "graft/core/index.hpp"

namespace graft {

/// See layers/relative_positions.hpp.
struct relative_options {
  index heads, hidden_size;
  bool disentangled = false;         // vectors of distances (DeBERTa); else a number for each head (MPNet)
  index buckets = 32;                // of distances: near ones have their own, far ones share by their logarithm; 0: none share (DeBERTa)
  index farthest = 128;              // distances from there on are one
  bool keys = true, queries = true;  // disentangled: which of its terms there are
  bool normalized = false;           // disentangled: the table goes through a LayerNorm of its own
  double eps = 0, dropout = 0;       // ... of that; of its rows

  /// Of the table.
  index rows() const { return !disentangled ? buckets : 2 * (buckets > 0 ? buckets : farthest); }
};

}  // namespace graft
