#pragma once
// Inverted dropout whose mask is recomputed from counters, never stored.

#include <algorithm>
#include <cstdint>

#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/random.hpp"
#include "graft/core/types.hpp"

namespace graft::ops {

/// What a dropout with probability p keeps, and by how much it scales that.
template <class T>
struct dropout_mask {
  random_stream stream;
  std::uint32_t threshold;  // kept when bits(i) >= threshold
  T scale;

  dropout_mask(double p, random_stream s) : stream(s), threshold(static_cast<std::uint32_t>(p * 0x1p32)), scale(T(1 / (1 - p))) {}
  /// to_c = from_c times the factor of element FIRST + c, 0 or 1 / (1 - p), for c < n; TO may be FROM.
  void apply(const T* from, T* to, index n, std::uint64_t first) const {
    while (n > 0) {
      const auto low = static_cast<std::uint32_t>(first);
      const index part = std::min(n, static_cast<index>((std::uint64_t{1} << 32) - low));
      const random_stream::block block = stream.block_of(first);
      const std::uint32_t least = threshold;
      const T factor = scale;
#pragma omp simd
      for (std::uint32_t c = 0; c < static_cast<std::uint32_t>(part); ++c) to[c] = block.bits(low + c) >= least ? from[c] * factor : T(0);
      from += part;
      to += part;
      n -= part;
      first += static_cast<std::uint64_t>(part);
    }
  }
};

/// x_i *= 0 with probability p, else 1 / (1 - p), in place: forward on activations and backward on their gradients are the same call.
/// x (N, H).   Nothing happens when p = 0 or outside training.
/// Source: Srivastava et al. 2014.   Tested: tests/ops/dropout_test.cpp
template <class T>
void dropout(view<T> x, double p, std::uint64_t place, context& ctx) {
  if (p <= 0 || !ctx.training) return;
  const dropout_mask<T> mask(p, ctx.stream(place));
  parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      T* row = x.row_data(r);
      mask.apply(row, row, x.cols(), static_cast<std::uint64_t>(r) * static_cast<std::uint64_t>(x.cols()));
    }
  });
}

}  // namespace graft::ops
