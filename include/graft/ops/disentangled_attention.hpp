#pragma once
// Attention whose scores also depend on how far apart two tokens are, through vectors of distances (DeBERTa).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "graft/ops/attention_core.hpp"

namespace graft::ops {

/// The vectors of distances, a row for each that occurs; a matrix without rows: its term is left out.
template <class P>
struct distance_vectors {
  const_view<typename P::operand> keys, queries;  // (R, H)
  std::span<const std::int32_t> rows;             // of the distances -(L - 1) .. L - 1, a query's place less a key's
  index longest;                                  // L
  index terms() const { return 1 + (keys.rows() > 0 ? 1 : 0) + (queries.rows() > 0 ? 1 : 0); }
  index count() const { return std::max(keys.rows(), queries.rows()); }
};

namespace detail {

/// What a thread works in beside the matrices of attention_core.hpp: scores of content by distance, and their gradients; and sums of two
/// products, before they are rounded.
template <class P>
struct distance_scores {
  using real = typename P::real;
  view<real> by_key, by_query;  // (queries, R), (T, R)
  view<real> sum_q, sum_k;      // (queries, SIZE), (T, SIZE)

  distance_scores(const attention_item& item, const distance_vectors<P>& d, index size, real* memory)
      : by_key(memory, item.queries, d.count(), padded(d.count())),
        by_query(by_key.data() + item.length * by_key.stride(), item.length, d.count(), by_key.stride()),
        sum_q(by_query.data() + item.length * by_key.stride(), item.queries, size),
        sum_k(sum_q.data() + item.length * size, item.length, size) {}
  /// The heads of a call, those of SIZE: gradients of D's vectors are summed over the sequences of a head, in order.
  static head_plan plan(rows_of queries, index heads, index size, const distance_vectors<P>& d) {
    return {queries, heads, size, 0, d.count(), 2 * (padded(d.count()) + size), true};
  }
};

/// 1 / sqrt(terms D), rounded where transformers rounds it: in f32, whatever the precision.
template <class P>
typename P::real score_scale(index head_size, const distance_vectors<P>& d) {
  using real = typename P::real;
  return real(1) / static_cast<real>(std::sqrt(static_cast<float>(head_size * d.terms())));
}

/// p = softmax((q k^T + by distance) / sqrt(terms D))
template <class P, class Q>
void disentangled_probabilities(const Q& q, const Q& k, const distance_vectors<P>& d, index head, attention_workspace<P>& w,
                                distance_scores<P>& scores) {
  using real = typename P::real;
  const index size = q.cols(), length = k.rows();
  const auto of_head = [&](const auto& m) { return m.window(0, head * size, m.rows(), size); };
  const bool keys = d.keys.rows() > 0, queries = d.queries.rows() > 0;
  w.product(transpose::no, q, transpose::yes, k, store{w.prob});
  if (keys) w.product(transpose::no, q, transpose::yes, of_head(d.keys), store{scores.by_key});
  if (queries) w.product(transpose::no, k, transpose::yes, of_head(d.queries), store{scores.by_query});
  const real scale = score_scale<P>(size, d);
  const view<real> whole(w.prob.data(), q.rows(), padded(length));
  for (index i = 0; i < q.rows(); ++i) {
    real* to = whole.row_data(i);
    const std::int32_t* row = d.rows.data() + d.longest - 1 + i;
    for (index j = 0; j < length; ++j) {
      if (keys) to[j] += scores.by_key(i, row[-j]);
      if (queries) to[j] += scores.by_query(j, row[-j]);
      to[j] *= scale;
    }
    std::fill(to + length, to + padded(length), std::numeric_limits<real>::lowest());
    softmax_row(view<real>(to, 1, padded(length)).row(0));
  }
}

}  // namespace detail

/// y_i = sum_j drop(p_ij) v_j,   p = softmax over j of (q_i k_j + q_i r_d + k_j s_d) / sqrt(3 D),   d = i - j
/// r and s are V's keys and queries; without one of them its term is missing, and the 3 is 2 (1).
/// @param q  (QUERIES, H), k, v (N, H) packed rows as attention_forward's            @param[out] y  as many rows as q
/// Source: He et al. 2021 (DeBERTa), eq. 4; transformers' DisentangledSelfAttention.   Tested: tests/model/gradient_test.cpp
template <class P>
void disentangled_attention_forward(const_view<typename P::operand> q, const_view<typename P::operand> k, const_view<typename P::operand> v,
                                    const distance_vectors<P>& d, view<typename P::operand> y, index heads, double p,
                                    std::uint64_t dropout_stream, context& ctx, rows_of queries) {
  using real = typename P::real;
  const index size = q.cols() / heads;
  const detail::probability_dropout<real> mask(p, dropout_stream, heads, ctx);
  detail::for_each_head<P>(
      detail::distance_scores<P>::plan(queries, heads, size, d), ctx, [&](const detail::attention_item& item, auto& w) {
        const auto of_keys = [&](const auto& m) { return m.window(item.first, item.head * size, item.length, size); };
        const auto of_queries = [&](const auto& m) { return m.window(item.first_query, item.head * size, item.queries, size); };
        detail::distance_scores<P> scores(item, d, size, w.extra);
        detail::disentangled_probabilities<P>(of_queries(q), of_keys(k), d, item.head, w, scores);
        mask.apply(w.prob, w.prob, item.first_token, item.head);
        w.product(transpose::no, const_view<real>(w.prob), transpose::no, of_keys(v), store{of_queries(y)});
      });
}

/// With dS as in attention_backward, scaled, and dA_i,row(d) = sum of dS_ij over i - j = d, dB_j,row(d) likewise:
///   dq = dS k + dA r,   dk = dS^T q + dB s,   dr += dA^T q,   ds += dB^T k
/// @param dkeys, dqueries  (R, H) of the distances' vectors, added to; null: not wanted
template <class P>
void disentangled_attention_backward(const_view<typename P::operand> dy, const_view<typename P::operand> q,
                                     const_view<typename P::operand> k, const_view<typename P::operand> v, const distance_vectors<P>& d,
                                     view<typename P::operand> dq, view<typename P::operand> dk, view<typename P::operand> dv,
                                     view<typename P::real>* dkeys, view<typename P::real>* dqueries, index heads, double p,
                                     std::uint64_t dropout_stream, context& ctx, rows_of queries) {
  using real = typename P::real;
  const index size = q.cols() / heads;
  const real scale = detail::score_scale<P>(size, d);
  const detail::probability_dropout<real> mask(p, dropout_stream, heads, ctx);
  detail::for_each_head<P>(
      detail::distance_scores<P>::plan(queries, heads, size, d), ctx, [&](const detail::attention_item& item, auto& w) {
        const auto of_keys = [&](const auto& m) { return m.window(item.first, item.head * size, item.length, size); };
        const auto of_queries = [&](const auto& m) { return m.window(item.first_query, item.head * size, item.queries, size); };
        const auto of_head = [&](const auto& m) { return m.window(0, item.head * size, m.rows(), size); };
        detail::distance_scores<P> scores(item, d, size, w.extra);
        detail::disentangled_probabilities<P>(of_queries(q), of_keys(k), d, item.head, w, scores);
        w.product(transpose::no, of_queries(dy), transpose::yes, of_keys(v), store{w.grad});
        mask.apply(w.prob, w.kept, item.first_token, item.head);
        mask.apply(w.grad, w.grad, item.first_token, item.head);
        w.product(transpose::yes, const_view<real>(mask.active() ? w.kept : w.prob), transpose::no, of_queries(dy), store{of_keys(dv)});
        for (index i = 0; i < item.queries; ++i) softmax_row_backward(w.prob.row(i), w.grad.row(i), scale, w.grad.row(i));
        scores.by_key.setZero();
        scores.by_query.setZero();
        for (index i = 0; i < item.queries; ++i) {
          const std::int32_t* row = d.rows.data() + d.longest - 1 + i;
          const real* from = w.grad.row_data(i);
          for (index j = 0; j < item.length; ++j) {
            if (d.keys.rows() > 0) scores.by_key(i, row[-j]) += from[j];
            if (d.queries.rows() > 0) scores.by_query(j, row[-j]) += from[j];
          }
        }
        const view<real> sum_q = scores.sum_q, sum_k = scores.sum_k;
        w.product(transpose::no, const_view<real>(w.grad), transpose::no, of_keys(k), store{sum_q});
        w.product(transpose::yes, const_view<real>(w.grad), transpose::no, of_queries(q), store{sum_k});
        if (d.keys.rows() > 0) {
          w.product(transpose::no, const_view<real>(scores.by_key), transpose::no, of_head(d.keys), accumulate{sum_q});
          if (dkeys != nullptr)
            w.product(transpose::yes, const_view<real>(scores.by_key), transpose::no, of_queries(q), accumulate{of_head(*dkeys)});
        }
        if (d.queries.rows() > 0) {
          w.product(transpose::no, const_view<real>(scores.by_query), transpose::no, of_head(d.queries), accumulate{sum_k});
          if (dqueries != nullptr)
            w.product(transpose::yes, const_view<real>(scores.by_query), transpose::no, of_keys(k), accumulate{of_head(*dqueries)});
        }
        const view<typename P::operand> to_q = of_queries(dq), to_k = of_keys(dk);
        for (index i = 0; i < item.queries; ++i) convert(sum_q.row_data(i), to_q.row_data(i), size);
        for (index j = 0; j < item.length; ++j) convert(sum_k.row_data(j), to_k.row_data(j), size);
      });
}

}  // namespace graft::ops
