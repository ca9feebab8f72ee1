#pragma once
// Scaled dot-product attention of packed sequences: some queries of one head of one sequence at a time, whose scores stay in cache, of
// long sequences with some of the keys at a time.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "graft/core/context.hpp"
#include "graft/core/types.hpp"
#include "graft/gemm/product.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/epilogues.hpp"
#include "graft/ops/softmax.hpp"

namespace graft::ops {

/// The window that sees all tokens.
inline constexpr index everywhere = index{1} << 40;

/// Scores that a thread holds of some queries with whole rows of keys, unless those of 32 queries are more; and the most keys of a row for
/// which they are not: of more, some go at a time (by_keys).
inline constexpr index scores_at_once = index{1} << 16, most_whole_keys = scores_at_once / 32;

/// How attention is computed.
struct attention_options {
  index heads;
  double dropout = 0;  // of the probabilities, in training
  std::uint64_t dropout_stream = 0;
  rows_of queries = rows_of::tokens;
  index in_front = 0;         // keys that are no token's, in front of every sequence's; then all tokens see all
  index window = everywhere;  // how far a token sees
};

/// What backward needs of forward so that sequences go by keys there, too; empty where none did.
template <class P>
struct attention_saved {
  buffer<typename P::operand> y;
  buffer<typename P::real> logs;  // (QUERIES, heads) log sum_j e^(s_ij)
};

namespace detail {

/// Rows of probabilities begin at whole cache lines.
inline index padded(index length) { return (length + 15) / 16 * 16; }

/// Queries at a time, of LENGTH keys: about as many as the window is wide, and no more scores than stay in cache.
inline index block_queries(index length, index reach) {
  return std::clamp<index>(scores_at_once / std::max<index>(1, std::min(length, 3 * reach)) / 32 * 32, 32,
                           std::max<index>(32, (reach + 31) / 32 * 32));
}

/// Whether sequence B goes by keys, some at a time: 32 queries with all of them have more scores than stay in cache.
inline bool by_keys(const attention_options& o, const context& ctx, index b) {
  const index keys = o.in_front + ctx.length(b);
  return o.queries == rows_of::tokens && o.window >= keys && keys > most_whole_keys;
}

/// Queries and keys of a block by keys: also 65,536 scores.
inline constexpr index queries_by_keys = 128, keys_at_once = scores_at_once / queries_by_keys;

/// One head of one sequence, and some of its queries with the keys that any of them sees; or, by keys, with some of the keys: all queries
/// go by the first ones, then all by the next ones.
struct attention_block {
  index head, size;                       // its number, and numbers a row
  index token, query_row, key_row;        // where the sequence begins: in the batch, among all queries, among all keys
  index all_queries, all_keys, in_front;  // what it has
  index reach, step;                      // how far a token sees, and queries at a time
  index first_query = 0, queries = 0, first_key = 0, keys = 0;
  bool new_keys = true;  // the block before had others
  bool by_keys = false;  // then all tokens see all

  index most_queries() const { return std::min(step, all_queries); }
  index most_keys() const { return by_keys ? keys_at_once : std::min(all_keys, most_queries() + 2 * reach); }
  /// Whether one block has all queries and keys.
  bool only() const { return all_queries <= step && all_keys <= all_queries + reach && !by_keys; }
  /// On to the next queries, or keys; false: there are none.
  bool next() {
    const index first_before = first_key, keys_before = keys;
    first_query += queries;
    if (by_keys && first_query == all_queries && first_key + keys < all_keys) {
      first_query = 0;
      first_key += keys;
    }
    queries = std::min(step, all_queries - first_query);
    if (!by_keys) first_key = std::max<index>(0, first_query - reach);
    keys = by_keys ? std::min(most_keys(), all_keys - first_key) : std::min(all_keys, first_query + queries + reach) - first_key;
    new_keys = first_query == 0 || first_key != first_before || keys != keys_before;
    return queries > 0;
  }
  bool last() const { return first_query + queries == all_queries; }

  template <class M>
  M of_queries(const M& m) const {
    return m.window(query_row + first_query, head * size, queries, size);
  }
  template <class M>
  M of_keys(const M& m) const {
    return m.window(key_row + first_key, head * size, keys, size);
  }
  template <class M>
  M of_head(const M& m) const {
    return m.window(0, head * size, m.rows(), size);
  }
};

/// Dropout of an attention's probabilities: a row of 2^20 numbers for each query and head.
template <class T>
matrix_dropout<T> probability_dropout(const attention_options& o, const context& ctx) {
  return {o.dropout, o.dropout_stream, rows_of::tokens, o.heads << 20, ctx};
}
/// to = from times MASK
template <class T>
void drop_probabilities(const matrix_dropout<T>& mask, const attention_block& at, const view<T>& from, const view<T>& to) {
  for (index i = 0; mask.active() && i < at.queries; ++i) {
    mask.apply(from.row_data(i), to.row_data(i), at.token + at.first_query + i, (at.head << 20) + at.first_key, at.keys);
  }
}

/// What a thread works in: three matrices of a block, two sums over the blocks of a head, and packed operands.
template <class P>
struct attention_workspace {
  using real = typename P::real;
  using operand = typename P::operand;

  real *matrices, *sums, *extra;
  operand* operands;
  index operand_size;  // numbers of one
  tile_path path;

  /// (queries, keys), 0 .. 2
  view<real> matrix(const attention_block& at, index i) const {
    return {matrices + i * at.queries * padded(at.keys), at.queries, at.keys, padded(at.keys)};
  }
  /// By keys alone: (all queries, D), and (1, all queries), 0 and 1
  view<real> query_sum(const attention_block& at) const { return {sums, at.by_keys ? at.all_queries : 0, at.size}; }
  view<real> of_queries(const attention_block& at, index i) const {
    return {sums + at.all_queries * (at.size + i), 1, query_sum(at).rows()};
  }
  /// To the rows of a block's queries in TO, or, by keys, in the sum.
  auto to_queries(const attention_block& at, const view<operand>& to) const {
    return [&at, to, sum = query_sum(at)](index row, index col, view<real>& block) {
      if (!at.by_keys) return store{at.of_queries(to)}(row, col, block);
      accumulate{sum.window(at.first_query, 0, at.queries, at.size)}(row, col, block);
    };
  }
  /// (all keys, D), of keys (0) and values (1)
  view<real> sum(const attention_block& at, index i) const {
    return {sums + query_sum(at).rows() * (at.size + 2) + i * at.all_keys * at.size, at.all_keys, at.size};
  }
  /// op(B), the right operand of the next product
  template <class B>
  packed_b<P> pack_right(transpose op, const const_view<B>& b) const {
    return packed_b<P>::pack(op, b, operands + operand_size, 1);
  }
  /// op(B) of the keys or values, as NUMBER (0 .. 2) among them: the blocks of a head that see the same ones pack it once.
  template <class B>
  packed_b<P> packed_kv(const attention_block& at, index number, transpose op, const const_view<B>& all) const {
    const const_view<B> b = at.of_keys(all);
    if (at.only()) return pack_right(op, b);
    operand* memory = operands + (2 + number) * operand_size;
    if (at.new_keys) return packed_b<P>::pack(op, b, memory, 1);
    return {memory, op == transpose::no ? b.rows() : b.cols(), op == transpose::no ? b.cols() : b.rows()};
  }
  /// op(A) B, and EPILOGUES
  template <class A, class... E>
  void product(transpose op, const const_view<A>& a, const packed_b<P>& b, const E&... epilogues) const {
    packed_a<P> left(operands, op == transpose::no ? a.rows() : a.cols(), op == transpose::no ? a.cols() : a.rows());
    left.fill(op, a, 0, tile<operand>::panels(left.rows()));
    serial_product<P>(left, b, path, epilogues...);
  }
};

/// Calls f(block, workspace) for every head of every sequence, in parallel; f goes through its blocks, BY_PARTS of the keys where by_keys.
template <class P, class Scores, class F>
void for_each_head(const attention_options& o, index size, const Scores& scores, bool back, bool by_parts, context& ctx, F&& f) {
  using real = typename P::real;
  using operand = typename P::operand;
  const timed time(ctx.times, operation::attention);
  const bool all = o.queries == rows_of::tokens;
  const auto block_of = [&](index b, index head) {
    const index first = ctx.first_row(b), tokens = ctx.length(b);
    const index keys = o.in_front + tokens, reach = std::min(o.window, keys);
    attention_block at{head, size,       first, all ? first : b,           first + b * o.in_front, all ? tokens : 1,
                       keys, o.in_front, reach, block_queries(keys, reach)};
    at.by_keys = by_parts && !Scores::changes_keys && by_keys(o, ctx, b);
    if (at.by_keys) at.step = queries_by_keys;
    return at;
  };
  const index sequences = ctx.sequences(), widest = std::max(size, scores.widest());
  index matrices = 0, sums = 0, extra = 0, operand_size = 0;
  for (index b = 0; b < sequences; ++b) {
    const attention_block at = block_of(b, 0);
    const index high = std::max(at.most_queries(), widest), wide = std::max(at.most_keys(), widest);
    matrices = std::max(matrices, 3 * at.most_queries() * padded(at.most_keys()));
    sums = std::max(sums, (at.by_keys ? at.all_queries * (size + 2) : 0) + (back ? 2 * at.all_keys * size : 0));
    extra = std::max(extra, scores.numbers(at));
    operand_size = std::max({operand_size, packed_a<P>::size(high, wide), packed_a<P>::size(wide, high)});
  }
  scratch::mark mark(ctx.memory);
  const view<real> memory = ctx.memory.take_rows<real>(ctx.threads, matrices + sums + extra);
  const view<operand> operands = ctx.memory.take_rows<operand>(ctx.threads, 5 * operand_size);
  const tile_path path = graft::detail::path_of<P>(ctx);
  graft::detail::share_out(scores.in_order() ? o.heads : sequences * o.heads, path, ctx, [&](index n, int thread) {
    real* work = memory.row_data(thread);
    const attention_workspace<P> w{work, work + matrices, work + matrices + sums, operands.row_data(thread), operand_size, path};
    if (!scores.in_order()) return f(block_of(n / o.heads, n % o.heads), w);
    for (index b = 0; b < sequences; ++b) f(block_of(b, n), w);
  });
}

/// p = F(i, scores) of those keys that a block's query I sees: softmax, or, by keys, a part of it
template <class P, class Scores, class F>
view<typename P::real> attention_probabilities(const attention_block& at, const const_view<typename P::operand>& q,
                                               const const_view<typename P::operand>& k, const Scores& scores,
                                               const attention_workspace<P>& w, F&& f) {
  using real = typename P::real;
  const view<real> p = w.matrix(at, 0);
  w.product(transpose::no, at.of_queries(q), w.packed_kv(at, 0, transpose::yes, k), ops::scale<real>{scores.scale(at.size)}, store{p});
  scores.add(at, q, k, w, p);
  for (index i = 0; i < at.queries; ++i) {
    const index diagonal = at.first_query + i - at.first_key;
    real *row = p.row_data(i), *end = row + padded(at.keys);  // nothing is left over from whole vectors: what is too much vanishes
    real *seen = row + std::max<index>(0, diagonal - at.reach), *behind = row + std::min(at.keys, diagonal + at.reach + 1);
    std::fill(row, seen, -std::numeric_limits<real>::infinity());
    std::fill(behind, end, -std::numeric_limits<real>::infinity());
    f(i, view<real>(row, 1, end - row).row(0));
    std::fill(row, seen, real(0));
    std::fill(behind, row + at.keys, real(0));
  }
  return p;
}

}  // namespace detail

/// Scores q k^T / sqrt D and, if there are some, numbers for distances. Other scores (ops/disentangled_attention.hpp) have the same
/// functions.
template <class P>
struct score_numbers {
  using real = typename P::real;
  using operand = typename P::operand;
  using block = detail::attention_block;
  using workspace = detail::attention_workspace<P>;
  const_view<real> by_distance{nullptr, 0, 0};  // (heads, 2 L - 1) of -(L - 1) .. L - 1, a query's position less a key's
  view<real> gradient{nullptr, 0, 0};           // of those, added to; no rows: not wanted

  /// What scores are multiplied by.
  real scale(index size) const { return real(1) / std::sqrt(real(size)); }
  /// Whether the sequences of a head go one after the other, on one thread.
  bool in_order() const { return gradient.rows() > 0; }
  /// The longest side of what is multiplied beside queries and keys, and numbers of memory.
  index widest() const { return 0; }
  index numbers(const block&) const { return 0; }
  /// Whether keys get more gradients than those of q k^T.
  static constexpr bool changes_keys = false;

  /// s += what is added to the scaled product
  void add(const block& at, const const_view<operand>&, const const_view<operand>&, const workspace&, const view<real>& s) const {
    for_each_number(at, by_distance, s, [](real number, real& score) { score += number; });
  }
  /// DS are the gradients of scores, times the scale. What keys get besides goes to SUM_K.
  void add_back(const block& at, const const_view<operand>&, const const_view<operand>&, const workspace&, const view<real>& ds,
                const view<real>& /*sum_k*/) const {
    const real s = scale(at.size);
    for_each_number(at, gradient, ds, [s](real& number, real score) { number += score / s; });
  }
  /// What the gradients of a block's queries get besides.
  ops::add<real> more_of_queries(const block&, const workspace&) const { return {by_distance, 0}; }

 private:
  /// F(number, score) for all pairs of tokens
  template <class M, class F>
  void for_each_number(const block& at, const M& numbers, const view<real>& scores, F&& f) const {
    for (index i = 0; i < at.queries && numbers.rows() > 0; ++i) {
      auto* of_distance = numbers.row_data(at.head) + numbers.cols() / 2 + at.first_query + i + at.in_front - at.first_key;
      real* row = scores.row_data(i);
      for (index j = std::max<index>(0, at.in_front - at.first_key); j < at.keys; ++j) f(of_distance[-j], row[j]);
    }
  }
};

/// For every sequence and head:   y_i = sum_j drop(p_ij) v_j,   p_i = softmax of the scores of i and those j that it sees
/// By keys, y_i = a_i / l_i: of the keys so far, m_i is the greatest score, l_i = sum of e^(s_ij - m_i), a_i = sum of drop(e^(s_ij - m_i))
/// v_j; where m_i grows, l_i and a_i are scaled.
/// @param k, v  (N + B IN_FRONT, H) packed rows, head a owns columns a D .. (a + 1) D - 1
/// @param q     (QUERIES, H)      @param[out] y  as many rows as q
/// Saved: nothing beyond q, k, v; backward recomputes the probabilities. By keys, y and m_i + log l_i, if SAVED is not null.
/// Memory: a thread's grows with the length, and not with its square: it has 65,536 scores at a time, or those of 32 queries where keys do
/// not go in parts: in windows, and of Scores that change what keys get.
/// Source: Vaswani et al. 2017, eq. 1; windows: Beltagy et al. 2020, section 3.1; by keys: Dao et al. 2022, section 3.1.
/// Tested: tests/ops/attention_core_test.cpp, tests/ops/attention_by_keys_test.cpp
template <class P, class Scores = score_numbers<P>>
void attention_forward(const_view<typename P::operand> q, const_view<typename P::operand> k, const_view<typename P::operand> v,
                       view<typename P::operand> y, const attention_options& o, context& ctx, const Scores& scores = {},
                       attention_saved<P>* saved = nullptr) {
  using real = typename P::real;
  const index size = q.cols() / o.heads;
  const auto mask = detail::probability_dropout<real>(o, ctx);
  bool any = false;
  for (index b = 0; b < ctx.sequences(); ++b) any = any || (!Scores::changes_keys && detail::by_keys(o, ctx, b));
  view<typename P::operand> kept = saved != nullptr ? saved->y.resize(any ? y.rows() : 0, y.cols()) : y.window(0, 0, 0, 0);
  view<real> logs = saved != nullptr ? saved->logs.resize(kept.rows(), o.heads) : view<real>(nullptr, 0, 0);
  detail::for_each_head<P>(o, size, scores, false, true, ctx, [&](detail::attention_block at, const auto& w) {
    view<real> sum = w.query_sum(at), most = w.of_queries(at, 0), total = w.of_queries(at, 1);
    sum.setZero();
    most.setConstant(-std::numeric_limits<real>::infinity());
    total.setZero();
    while (at.next()) {
      const view<real> p = detail::attention_probabilities<P>(at, q, k, scores, w, [&](index i, auto row) {
        if (!at.by_keys) return softmax_row(row);
        const index query = at.first_query + i;
        const real before = std::exchange(most(0, query), std::max(most(0, query), row.maxCoeff())), grown = before - most(0, query);
        if (most(0, query) == -std::numeric_limits<real>::infinity()) {  // so are all scores so far
          row.setZero();
          return;
        }
        row.array() = (row.array() - most(0, query)).exp();
        total(0, query) = std::exp(grown) * total(0, query) + row.sum();
        sum.row(query) *= std::exp(grown);
      });
      detail::drop_probabilities(mask, at, p, p);
      w.product(transpose::no, const_view<real>(p), w.packed_kv(at, 1, transpose::no, v), w.to_queries(at, y));
    }
    for (index i = 0; i < sum.rows(); ++i) sum.row(i) /= total(0, i);
    convert_rows(const_view<real>(sum), y.window(at.query_row, at.head * size, sum.rows(), size), 1);
    if (kept.rows() == 0) return;
    convert_rows(const_view<real>(sum), kept.window(at.query_row, at.head * size, sum.rows(), size), 1);
    for (index i = 0; i < sum.rows(); ++i) logs(at.query_row + i, at.head) = most(0, i) + std::log(total(0, i));
  });
}

/// With P the probabilities, M the dropout factors, G = dy v^T and c the scale of the scores, 1 / sqrt D:
///   dv = (P M)^T dy,   dS = c P (G M - rowsum(P G M)),   dq = dS k,   dk = dS^T q
/// By keys, rowsum(P G M) = <dy, y>.
/// @param dy  as many rows as q            @param[out] dq  the same; dk, dv  as many as k
/// @param saved  by forward; empty: whole rows of scores, however many keys there are
template <class P, class Scores = score_numbers<P>>
void attention_backward(const_view<typename P::operand> dy, const_view<typename P::operand> q, const_view<typename P::operand> k,
                        const_view<typename P::operand> v, view<typename P::operand> dq, view<typename P::operand> dk,
                        view<typename P::operand> dv, const attention_options& o, context& ctx, const Scores& scores = {},
                        const attention_saved<P>& saved = {}) {
  using real = typename P::real;
  using operand = typename P::operand;
  const index size = q.cols() / o.heads;
  const real scale = scores.scale(size);
  const auto mask = detail::probability_dropout<real>(o, ctx);
  const const_view<real> logs = saved.logs;
  const const_view<operand> y = saved.y;
  detail::for_each_head<P>(o, size, scores, true, !saved.logs.empty(), ctx, [&](detail::attention_block at, const auto& w) {
    const bool only = !Scores::changes_keys && at.only();
    view<real> sum_k = w.sum(at, 0), sum_v = w.sum(at, 1), sum_q = w.query_sum(at);
    const auto add_to = [&](const view<operand>& whole, const view<real>& sum) {
      return [&](index row, index col, view<real>& block) {
        if (only) return store{at.of_keys(whole)}(row, col, block);
        accumulate{sum.window(at.first_key, 0, at.keys, size)}(row, col, block);
      };
    };
    if (!only) {
      sum_k.setZero();
      sum_v.setZero();
      sum_q.setZero();
    }
    while (at.next()) {
      const index first = at.query_row + at.first_query, col = at.head * size;
      view<real> p = detail::attention_probabilities<P>(at, q, k, scores, w, [&](index i, auto row) {
        if (!at.by_keys) return softmax_row(row);
        row.array() = (row.array() - logs(first + i, at.head)).exp();
      });
      view<real> ds = w.matrix(at, 1);
      const view<real> masked = mask.active() ? w.matrix(at, 2) : p;
      w.product(transpose::no, at.of_queries(dy), w.packed_kv(at, 1, transpose::yes, v), store{ds});
      detail::drop_probabilities(mask, at, p, masked);
      w.product(transpose::yes, const_view<real>(masked), w.pack_right(transpose::no, at.of_queries(dy)), add_to(dv, sum_v));
      for (index i = 0; i < at.queries; ++i) {
        const auto dropped = masked.row(i).array() * ds.row(i).array();
        real sum = at.by_keys ? real(0) : dropped.sum();
        for (index c = col; at.by_keys && c < col + size; ++c) sum += number(dy(first + i, c)) * number(y(first + i, c));
        ds.row(i).array() = scale * (dropped - sum * p.row(i).array());
      }
      scores.add_back(at, q, k, w, ds, sum_k);
      w.product(transpose::no, const_view<real>(ds), w.packed_kv(at, 2, transpose::no, k), scores.more_of_queries(at, w),
                w.to_queries(at, dq));
      w.product(transpose::yes, const_view<real>(ds), w.pack_right(transpose::no, at.of_queries(q)), add_to(dk, sum_k));
    }
    if (only) return;
    convert_rows(const_view<real>(sum_k), dk.window(at.key_row, at.head * size, at.all_keys, size), 1);
    convert_rows(const_view<real>(sum_v), dv.window(at.key_row, at.head * size, at.all_keys, size), 1);
    convert_rows(const_view<real>(sum_q), dq.window(at.query_row, at.head * size, sum_q.rows(), size), 1);
  });
}

}  // namespace graft::ops
