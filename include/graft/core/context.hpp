#pragma once
// What a call needs besides its arguments: the mode, where sequences begin, randomness, scratch memory, counters.

#include <omp.h>

#include <cstdint>
#include <optional>
#include <span>

#include "graft/core/cpu.hpp"
#include "graft/core/profile.hpp"
#include "graft/core/random.hpp"
#include "graft/core/scratch.hpp"
#include "graft/core/types.hpp"

namespace graft {

/// Work that frozen parameters must not cause; tests read these.
struct work_counters {
  std::uint64_t weight_gradient_products = 0;  // dW = dy^T x products
  std::uint64_t products = 0;                  // all matrix products that went through the gemm door
};

/// One per thread of control; passed down through every forward and backward. Nothing here is global.
struct context {
  bool training = false;             // dropout is active
  std::span<const index> offsets{};  // (B + 1) first row of every sequence, and the end
  std::uint64_t seed = 0;            // of dropout
  std::uint64_t step = 0;            // of dropout: each step has its own masks
  index tokens_before = 0;           // of the batch of which this is a part: its masks are cut out of the batch's
  index sequences_before = 0;
  int threads = omp_get_max_threads();
  std::optional<tile_path> tiles{};  // how bf16 products are computed; nothing: the best that works (gemm/product.hpp)
  profile* times = nullptr;          // where the time goes is added here
  scratch memory{};
  work_counters counters{};

  random_stream stream(std::uint64_t place) const { return {seed, step, place}; }
  /// Where in the whole batch a matrix of ROWS rows begins, a row for each token or for each sequence.
  index rows_before(index rows) const { return !offsets.empty() && rows == offsets.back() ? tokens_before : sequences_before; }
};

}  // namespace graft
