#pragma once
// Inverted dropout whose mask is recomputed from counters, never stored.

#include <algorithm>
#include <cstdint>
#include <span>

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

  /// Drops out with probability P, by the numbers of S.
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

/// Dropout with probability p, by the numbers of a stream of its own.
struct dropout_options {
  double p = 0;
  std::uint64_t stream = 0;
};

/// The mask of a whole matrix of WIDTH columns, in training with p > 0; else none: blocks of the matrix are left as they are.
template <class T>
class matrix_dropout {
 public:
  /// Of rows that are ROWS, and counted as such.
  matrix_dropout(double p, std::uint64_t dropout_stream, rows_of rows, index width, const context& ctx)
      : active_(p > 0 && ctx.training()),
        before_(ctx.rows_before(rows)),
        width_(width),
        mask_(active_ ? p : 0.0, ctx.stream(dropout_stream)) {}
  /// Of rows that are ctx.rows(), and counted as tokens: the first one of a sequence has the same mask among all tokens as alone.
  matrix_dropout(const dropout_options& o, index width, const context& ctx) : matrix_dropout(o.p, o.stream, rows_of::tokens, width, ctx) {
    if (ctx.rows() == rows_of::sequences) first_tokens_ = ctx.offsets();
  }

  bool active() const { return active_; }
  /// to = from times the mask, for N elements from (ROW, COL) on.
  void apply(const T* from, T* to, index row, index col, index n) const {
    const index number = before_ + (first_tokens_.empty() ? row : first_tokens_[static_cast<std::size_t>(row)]);
    mask_.apply(from, to, n, static_cast<std::uint64_t>(number * width_ + col));
  }
  /// The block of the matrix that begins at (ROW, COL), in place: an epilogue (ops/epilogues.hpp).
  void operator()(index row, index col, view<T>& block) const {
    for (index i = 0; active_ && i < block.rows(); ++i) apply(block.row_data(i), block.row_data(i), row + i, col, block.cols());
  }

 private:
  bool active_;
  index before_, width_;
  std::span<const index> first_tokens_{};
  dropout_mask<T> mask_;
};

/// y_i = x_i times 0 with probability p, else times 1 / (1 - p).   x, y (ROWS, H), may be the same memory.   A copy when p = 0 or outside
/// training.   Forward on activations and backward on their gradients are the same call.
/// Source: Srivastava et al. 2014.   Tested: tests/ops/dropout_test.cpp
template <class T>
void dropout(const_view<T> x, view<T> y, double p, std::uint64_t dropout_stream, rows_of rows, context& ctx) {
  const timed time(ctx.times, operation::dropout);
  const matrix_dropout<T> mask(p, dropout_stream, rows, x.cols(), ctx);
  if (!mask.active()) {
    if (x.data() != y.data()) convert_rows(x, y, ctx.threads);
    return;
  }
  parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) mask.apply(x.row_data(r), y.row_data(r), r, 0, x.cols());
  });
}

/// The same in place.
template <class T>
void dropout(view<T> x, double p, std::uint64_t dropout_stream, rows_of rows, context& ctx) {
  dropout<T>(x, x, p, dropout_stream, rows, ctx);
}

}  // namespace graft::ops
