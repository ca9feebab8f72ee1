#pragma once
// Scaled dot-product attention of packed sequences, one head of one sequence at a time, in cache.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "graft/core/context.hpp"
#include "graft/core/types.hpp"
#include "graft/gemm/product.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/epilogues.hpp"
#include "graft/ops/softmax.hpp"

namespace graft::ops {

namespace detail {

/// Dropout of an attention's probabilities: in training with P > 0, else nothing is dropped out.
template <class T>
class probability_dropout {
 public:
  probability_dropout(double p, std::uint64_t dropout_stream, index heads, const context& ctx)
      : active_(ctx.training() && p > 0),
        before_(ctx.rows_before(rows_of::tokens)),
        heads_(heads),
        mask_(active_ ? p : 0.0, ctx.stream(dropout_stream)) {}

  bool active() const { return active_; }
  /// to = from times the mask, of HEAD, of the queries from the token FIRST of the batch on, of the keys from FIRST_KEY of their sequence
  /// on.
  void apply(const view<T>& from, const view<T>& to, index first, index head, index first_key = 0) const {
    for (index i = 0; active_ && i < from.rows(); ++i) {
      const auto row = static_cast<std::uint64_t>((before_ + first + i) * heads_ + head) << 20;
      mask_.apply(from.row_data(i), to.row_data(i), from.cols(), row + static_cast<std::uint64_t>(first_key));
    }
  }

 private:
  bool active_;
  index before_, heads_;
  dropout_mask<T> mask_;
};

/// Rows of probabilities begin at whole cache lines.
inline index padded(index length) { return (length + 15) / 16 * 16; }

/// What a thread works in: three (T, T) matrices, the factors of one product at a time, and what it asked for beside them.
template <class P>
struct attention_workspace {
  using real = typename P::real;
  using operand = typename P::operand;

  view<real> prob, grad, kept;
  operand *left, *right;
  tile_path path;
  real* extra = nullptr;

  /// op(A) op(B), and EPILOGUES
  template <class A, class B, class... E>
  void product(transpose op_a, const const_view<A>& a, transpose op_b, const const_view<B>& b, const E&... epilogues) {
    packed_a<P> l(left, op_a == transpose::no ? a.rows() : a.cols(), op_a == transpose::no ? a.cols() : a.rows());
    l.fill(op_a, a, 0, tile<operand>::panels(l.rows()));
    serial_product<P>(l, packed_b<P>::pack(op_b, b, right, 1), path, epilogues...);
  }
};

/// One head of one sequence.
struct attention_item {
  index first, length, head;   // the sequence's rows among the keys
  index first_query, queries;  // and its rows among the queries: all of them, or only its first token
  index first_token;           // and where its tokens begin in the batch
  index number;                // among all of them
};

/// The heads of a call, and what a thread needs for one of them.
struct head_plan {
  rows_of queries;
  index heads, head_size;
  index in_front = 0;     // keys in front of those of a sequence's tokens
  index widest = 0;       // of what is multiplied beside (T, T) and (T, head_size) matrices
  index extra = 0;        // numbers a token, beside the matrices
  bool in_order = false;  // the sequences of a head one after the other, on one thread
};

/// Calls f(item, workspace) for every head of every sequence, in parallel.
template <class P, class F>
void for_each_head(const head_plan& plan, context& ctx, F&& f) {
  using real = typename P::real;
  using operand = typename P::operand;
  const timed time(ctx.times, operation::attention);
  const index sequences = ctx.sequences(), heads = plan.heads;
  const bool all = plan.queries == rows_of::tokens;
  index longest = 0;
  for (index b = 0; b < sequences; ++b) longest = std::max(longest, plan.in_front + ctx.length(b));
  const index widest = std::max({longest, plan.head_size, plan.widest}), factor = packed_a<P>::size(widest, widest);
  scratch::mark mark(ctx.memory);
  view<real> memory = ctx.memory.take_rows<real>(ctx.threads, longest * (3 * padded(longest) + plan.extra));
  view<operand> factors = ctx.memory.take_rows<operand>(ctx.threads, 2 * factor);
  const tile_path path = graft::detail::path_of<P>(ctx);
  const auto one = [&](index b, index head, int thread) {
    const index first = ctx.first_row(b), tokens = ctx.length(b), length = plan.in_front + tokens;
    const attention_item item{first + b * plan.in_front, length, head, all ? first : b, all ? tokens : 1, first, b * heads + head};
    const index stride = padded(length);
    real* own = memory.row_data(thread);
    operand* left = factors.row_data(thread);
    const auto matrix = [&](index i) { return view<real>(own + i * length * stride, item.queries, length, stride); };
    attention_workspace<P> w{matrix(0), matrix(1), matrix(2), left, left + factor, path, own + 3 * length * stride};
    f(item, w);
  };
  graft::detail::share_out(plan.in_order ? heads : sequences * heads, path, ctx, [&](index n, int thread) {
    if (!plan.in_order) return one(n / heads, n % heads, thread);
    for (index b = 0; b < sequences; ++b) one(b, n, thread);
  });
}

/// p = softmax(q k^T / sqrt D + what BY_DISTANCE, if it is not null, says of a query's place less a key's), none for IN_FRONT keys
template <class P, class Q>
void attention_probabilities(const const_view<Q>& q, const const_view<Q>& k, attention_workspace<P>& w,
                             const typename P::real* by_distance = nullptr, index in_front = 0) {
  using real = typename P::real;
  const real scale = real(1) / std::sqrt(real(q.cols()));
  w.product(transpose::no, q, transpose::yes, k, ops::scale<real>{scale}, store{w.prob});
  const index length = k.rows();
  if (by_distance != nullptr) {
    for (index i = 0; i < q.rows(); ++i) {
      for (index j = in_front; j < length; ++j) w.prob(i, j) += by_distance[i - (j - in_front)];
    }
  }
  const view<real> whole(w.prob.data(), q.rows(), padded(length));
  for (index i = 0; i < q.rows(); ++i) {  // nothing is left over from whole vectors: what is too much vanishes
    std::fill(whole.row_data(i) + length, whole.row_data(i) + padded(length), std::numeric_limits<real>::lowest());
    softmax_row(view<real>(whole.row_data(i), 1, padded(length)).row(0));
  }
}

}  // namespace detail

/// Numbers that are added to scores, (heads, 2 L - 1) of the distances -(L - 1) .. L - 1, a query's place less a key's.
template <class Real>
struct score_numbers {
  const_view<Real> by_distance{nullptr, 0, 0};
  /// Those of HEAD, at distance 0; null without any.
  const Real* of(index head) const { return by_distance.rows() == 0 ? nullptr : by_distance.row_data(head) + by_distance.cols() / 2; }
};

/// For every sequence and head:   y = drop(softmax(q k^T / sqrt D)) v, with MORE added to the scores.
/// @param k, v  (N, H) packed rows, head a owns columns a D .. (a + 1) D - 1; (N + B IN_FRONT, H) where IN_FRONT rows that are no token's
///              stand in front of every sequence's
/// @param q     (QUERIES, H)      @param[out] y  as many rows as q
/// @param p     dropout probability of the attention probabilities (training only)
/// Saved: nothing beyond q, k, v; backward recomputes the probabilities.
/// Source: Vaswani et al. 2017, eq. 1.   Tested: tests/ops/attention_core_test.cpp
template <class P>
void attention_forward(const_view<typename P::operand> q, const_view<typename P::operand> k, const_view<typename P::operand> v,
                       view<typename P::operand> y, index heads, double p, std::uint64_t dropout_stream, context& ctx,
                       rows_of queries = rows_of::tokens, index in_front = 0, const score_numbers<typename P::real>& more = {}) {
  using real = typename P::real;
  const index d = q.cols() / heads;
  const detail::probability_dropout<real> mask(p, dropout_stream, heads, ctx);
  detail::for_each_head<P>({queries, heads, d, in_front}, ctx, [&](const detail::attention_item& item, auto& w) {
    const auto of_keys = [&](const auto& m) { return m.window(item.first, item.head * d, item.length, d); };
    const auto of_queries = [&](const auto& m) { return m.window(item.first_query, item.head * d, item.queries, d); };
    detail::attention_probabilities<P>(of_queries(q), of_keys(k), w, more.of(item.head), in_front);
    mask.apply(w.prob, w.prob, item.first_token, item.head);
    w.product(transpose::no, const_view<real>(w.prob), transpose::no, of_keys(v), store{of_queries(y)});
  });
}

/// With P the probabilities, M the dropout factors and G = dy v^T:
///   dv = (P M)^T dy,   dS = P (G M - rowsum(P G M)),   dq = dS k / sqrt D,   dk = dS^T q / sqrt D.
/// @param dy  as many rows as q            @param[out] dq  the same; dk, dv  (N, H)
/// @param[out] dmore  what MORE gets, (heads, 2 L - 1); null: not wanted
template <class P>
void attention_backward(const_view<typename P::operand> dy, const_view<typename P::operand> q, const_view<typename P::operand> k,
                        const_view<typename P::operand> v, view<typename P::operand> dq, view<typename P::operand> dk,
                        view<typename P::operand> dv, index heads, double p, std::uint64_t dropout_stream, context& ctx,
                        rows_of queries = rows_of::tokens, index in_front = 0, const score_numbers<typename P::real>& more = {},
                        view<typename P::real>* dmore = nullptr) {
  using real = typename P::real;
  const index d = q.cols() / heads;
  const real scale = real(1) / std::sqrt(real(d));
  const detail::probability_dropout<real> mask(p, dropout_stream, heads, ctx);
  scratch::mark mark(ctx.memory);
  view<real> of_items = ctx.memory.take<real>(dmore != nullptr ? ctx.sequences() * heads : 0, more.by_distance.cols());
  of_items.setZero();
  detail::for_each_head<P>({queries, heads, d, in_front}, ctx, [&](const detail::attention_item& item, auto& w) {
    const auto of_keys = [&](const auto& m) { return m.window(item.first, item.head * d, item.length, d); };
    const auto of_queries = [&](const auto& m) { return m.window(item.first_query, item.head * d, item.queries, d); };
    detail::attention_probabilities<P>(of_queries(q), of_keys(k), w, more.of(item.head), in_front);
    w.product(transpose::no, of_queries(dy), transpose::yes, of_keys(v), store{w.grad});
    mask.apply(w.prob, w.kept, item.first_token, item.head);
    mask.apply(w.grad, w.grad, item.first_token, item.head);
    w.product(transpose::yes, const_view<real>(mask.active() ? w.kept : w.prob), transpose::no, of_queries(dy), store{of_keys(dv)});
    for (index i = 0; i < item.queries; ++i) softmax_row_backward(w.prob.row(i), w.grad.row(i), scale, w.grad.row(i));
    if (dmore != nullptr) {
      real* sums = of_items.row_data(item.number) + of_items.cols() / 2;
      for (index i = 0; i < item.queries; ++i) {
        for (index j = in_front; j < item.length; ++j) sums[i - (j - in_front)] += w.grad(i, j) / scale;
      }
    }
    w.product(transpose::no, const_view<real>(w.grad), transpose::no, of_keys(k), store{of_queries(dq)});
    w.product(transpose::yes, const_view<real>(w.grad), transpose::no, of_queries(q), store{of_keys(dk)});
  });
  if (dmore == nullptr) return;
  dmore->setZero();
  for (index n = 0; n < of_items.rows(); ++n) dmore->row(n % heads) += of_items.row(n);  // in one order, whatever the threads
}

}  // namespace graft::ops
