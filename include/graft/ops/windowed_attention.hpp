#pragma once
// Attention in which a token sees those near it, or all; a piece of the queries at a time, so that memory grows with the window.

#include <algorithm>
#include <limits>

#include "graft/ops/attention_core.hpp"

namespace graft::ops {

/// The window that sees all tokens.
inline constexpr index everywhere = index{1} << 40;

namespace detail {

/// So many queries of a sequence of LENGTH at a time: about as many as the window is wide, and scores that stay in cache.
inline index block_rows(index length, index window) {
  constexpr index numbers = index{1} << 18;
  const index side = std::min(length, std::max<index>(32, (std::min(window, length) + 31) / 32 * 32));
  const index keys = std::min(length, side + 2 * std::min(window, length));
  return std::min(side, std::max<index>(32, numbers / std::max<index>(1, keys) / 32 * 32));
}

/// Queries of one head of one sequence, and the keys that any of them sees.
struct query_block {
  index first_query, queries, first_key, keys;
};

/// Calls f(item, sums, blocks) for every head of every sequence, in parallel; blocks(g) calls g(block, workspace) for all blocks of the
/// item, in order. SUMS is memory for SUM_ROWS rows a token, of HEAD_SIZE numbers.
template <class P, class F>
void for_each_windowed_head(rows_of queries, index heads, index head_size, index window, index sum_rows, context& ctx, F&& f) {
  using real = typename P::real;
  using operand = typename P::operand;
  const timed time(ctx.times, operation::attention);
  const index sequences = ctx.sequences();
  const bool all = queries == rows_of::tokens;
  const auto length_of = [&](index b) { return ctx.length(b); };
  const auto rows_of_block = [&](index length) { return all ? block_rows(length, window) : 1; };
  index longest = 0, most_rows = 0, most_keys = 0;
  for (index b = 0; b < sequences; ++b) {
    const index length = length_of(b), rows = rows_of_block(length);
    longest = std::max(longest, length);
    most_rows = std::max(most_rows, rows);
    most_keys = std::max(most_keys, std::min(length, rows + 2 * std::min(window, length)));
  }
  const index high = std::max(most_rows, head_size), wide = std::max(most_keys, head_size);
  const index factor = std::max(packed_a<P>::size(high, wide), packed_a<P>::size(wide, high));
  scratch::mark mark(ctx.memory);
  view<real> memory = ctx.memory.take_rows<real>(ctx.threads, 3 * most_rows * padded(most_keys));
  view<real> sums = ctx.memory.take_rows<real>(ctx.threads, sum_rows * longest * head_size);
  view<operand> factors = ctx.memory.take_rows<operand>(ctx.threads, 2 * factor);
  const tile_path path = graft::detail::path_of<P>(ctx);
  graft::detail::share_out(sequences * heads, path, ctx, [&](index n, int thread) {
    real* own = memory.row_data(thread);
    operand* left = factors.row_data(thread);
    const index b = n / heads, first = ctx.first_row(b), length = length_of(b), step = rows_of_block(length);
    const attention_item item{first, length, n % heads, all ? first : b, all ? length : 1, first, n};
    f(item, sums.row_data(thread), [&](auto&& g) {
      for (index first_query = 0; first_query < item.queries; first_query += step) {
        const index rows = std::min(step, item.queries - first_query), near = std::min(window, length);
        const index from = std::max<index>(0, first_query - near), keys = std::min(length, first_query + rows + near) - from;
        const index stride = padded(keys);
        const auto scores = [&](index i) { return view<real>(own + i * rows * stride, rows, keys, stride); };
        attention_workspace<P> w{scores(0), scores(1), scores(2), left, left + factor, path};
        g(query_block{first_query, rows, from, keys}, w);
      }
    });
  });
}

/// p = softmax(q k^T / sqrt D) of a PIECE, over the keys within WINDOW alone.
template <class P, class Q>
void windowed_probabilities(const const_view<Q>& q, const const_view<Q>& k, const query_block& block, index window,
                            attention_workspace<P>& w) {
  using real = typename P::real;
  const real scale = real(1) / std::sqrt(real(q.cols()));
  w.product(transpose::no, q, transpose::yes, k, ops::scale<real>{scale}, store{w.prob});
  const index width = padded(block.keys), last = block.first_key + block.keys;
  for (index i = 0; i < block.queries; ++i) {
    const index query = block.first_query + i;
    real* row = w.prob.row_data(i);
    real* const begin = row + (window < query - block.first_key ? query - window - block.first_key : 0);
    real* const end = row + (window < last - 1 - query ? query + window + 1 - block.first_key : block.keys);
    std::fill(row, begin, std::numeric_limits<real>::lowest());
    std::fill(end, row + width, std::numeric_limits<real>::lowest());
    softmax_row(view<real>(row, 1, width).row(0));
    std::fill(row, begin, real(0));
    std::fill(end, row + width, real(0));
  }
}

}  // namespace detail

/// For every sequence and head:   y_i = sum_j drop(p_ij) v_j,   p_ij = softmax_j(q_i k_j^T / sqrt D),   over |i - j| <= WINDOW
/// @param q, k, v, y, p, queries  as attention_forward's
/// Memory: a thread's grows with the window, and the sequence; for `everywhere` with 32 to 512 rows of scores.
/// Source: Beltagy et al. 2020, section 3.1; transformers' ModernBertAttention.   Tested: tests/ops/windowed_attention_test.cpp
template <class P>
void windowed_attention_forward(const_view<typename P::operand> q, const_view<typename P::operand> k, const_view<typename P::operand> v,
                                view<typename P::operand> y, index heads, index window, double p, std::uint64_t dropout_stream,
                                context& ctx, rows_of queries = rows_of::tokens) {
  using real = typename P::real;
  const index d = q.cols() / heads;
  const detail::probability_dropout<real> mask(p, dropout_stream, heads, ctx);
  detail::for_each_windowed_head<P>(queries, heads, d, window, 0, ctx, [&](const detail::attention_item& item, real*, auto&& blocks) {
    blocks([&](const detail::query_block& block, auto& w) {
      const auto of_keys = [&](const auto& m) { return m.window(item.first + block.first_key, item.head * d, block.keys, d); };
      const auto of_queries = [&](const auto& m) {
        return m.window(item.first_query + block.first_query, item.head * d, block.queries, d);
      };
      detail::windowed_probabilities<P>(of_queries(q), of_keys(k), block, window, w);
      mask.apply(w.prob, w.prob, item.first_token + block.first_query, item.head, block.first_key);
      w.product(transpose::no, const_view<real>(w.prob), transpose::no, of_keys(v), store{of_queries(y)});
    });
  });
}

/// As attention_backward's; the gradients of keys and values are summed over the blocks.
template <class P>
void windowed_attention_backward(const_view<typename P::operand> dy, const_view<typename P::operand> q, const_view<typename P::operand> k,
                                 const_view<typename P::operand> v, view<typename P::operand> dq, view<typename P::operand> dk,
                                 view<typename P::operand> dv, index heads, index window, double p, std::uint64_t dropout_stream,
                                 context& ctx, rows_of queries = rows_of::tokens) {
  using real = typename P::real;
  const index d = q.cols() / heads;
  const real scale = real(1) / std::sqrt(real(d));
  const detail::probability_dropout<real> mask(p, dropout_stream, heads, ctx);
  detail::for_each_windowed_head<P>(queries, heads, d, window, 2, ctx, [&](const detail::attention_item& item, real* sums, auto&& blocks) {
    view<real> to_keys(sums, item.length, d), to_values(sums + item.length * d, item.length, d);
    to_keys.setZero();
    to_values.setZero();
    blocks([&](const detail::query_block& block, auto& w) {
      const auto of_keys = [&](const auto& m) { return m.window(item.first + block.first_key, item.head * d, block.keys, d); };
      const auto of_queries = [&](const auto& m) {
        return m.window(item.first_query + block.first_query, item.head * d, block.queries, d);
      };
      const auto add_into = [&](view<real> sum) { return accumulate{sum.window(block.first_key, 0, block.keys, d)}; };
      detail::windowed_probabilities<P>(of_queries(q), of_keys(k), block, window, w);
      w.product(transpose::no, of_queries(dy), transpose::yes, of_keys(v), store{w.grad});
      mask.apply(w.prob, w.kept, item.first_token + block.first_query, item.head, block.first_key);
      mask.apply(w.grad, w.grad, item.first_token + block.first_query, item.head, block.first_key);
      w.product(transpose::yes, const_view<real>(mask.active() ? w.kept : w.prob), transpose::no, of_queries(dy), add_into(to_values));
      for (index i = 0; i < block.queries; ++i) softmax_row_backward(w.prob.row(i), w.grad.row(i), scale, w.grad.row(i));
      w.product(transpose::no, const_view<real>(w.grad), transpose::no, of_keys(k), store{of_queries(dq)});
      w.product(transpose::yes, const_view<real>(w.grad), transpose::no, of_queries(q), add_into(to_keys));
    });
    for (index r = 0; r < item.length; ++r) {
      convert(to_keys.row_data(r), dk.row_data(item.first + r) + item.head * d, d);
      convert(to_values.row_data(r), dv.row_data(item.first + r) + item.head * d, d);
    }
  });
}

}  // namespace graft::ops
