#pragma once
// Scores of an attention that also depend on how far apart two tokens are, through vectors of distances (DeBERTa).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "graft/ops/attention_core.hpp"

namespace graft::ops {

/// Scores (q_i k_j + q_i r_d + k_j s_d) / sqrt(3 D), d = i - j, of an attention in which all tokens see all. r and s are KEYS and QUERIES,
/// a row for each distance that occurs; without one of them its term is missing, and the 3 is 2 (1).
/// Backward, dA_i,row(d) = sum of dS_ij over i - j = d, dB_j,row(d) likewise, both scaled:
///   dq += dA r,   dk += dB s,   dr += dA^T q,   ds += dB^T k
/// Memory of a thread: 2 T R numbers for the R vectors.
/// Source: He et al. 2021 (DeBERTa), eq. 4; transformers' DisentangledSelfAttention.   Tested: tests/ops/disentangled_attention_test.cpp
template <class P>
struct distance_vectors {
  using real = typename P::real;
  using operand = typename P::operand;
  using block = detail::attention_block;
  using workspace = detail::attention_workspace<P>;
  const_view<operand> keys, queries;   // (R, H)
  std::span<const std::int32_t> rows;  // of the distances -(L - 1) .. L - 1, a query's position less a key's
  index longest;                       // L
  view<real> dkeys, dqueries;          // (R, H), added to; no rows: not wanted

  /// 1 / sqrt(terms D), rounded where transformers rounds it: in f32, whatever the precision.
  real scale(index size) const {
    const index terms = 1 + (keys.rows() > 0 ? 1 : 0) + (queries.rows() > 0 ? 1 : 0);
    return real(1) / static_cast<real>(std::sqrt(static_cast<float>(size * terms)));
  }
  bool in_order() const { return dkeys.rows() > 0; }
  index widest() const { return std::max(keys.rows(), queries.rows()); }
  index numbers(const block& at) const {
    return (at.most_queries() + 2 * at.all_keys) * detail::padded(widest()) + at.most_queries() * at.size;
  }
  static constexpr bool changes_keys = true;

  /// As score_numbers'.
  void add(const block& at, const const_view<operand>& q, const const_view<operand>& k, const workspace& w, const view<real>& s) const {
    const ops::scale<real> scaled{scale(at.size)};
    const view<real> by_key = of_queries(at, w), by_query = of_keys(at, w, 0);
    if (keys.rows() > 0) w.product(transpose::no, at.of_queries(q), w.pack_right(transpose::yes, at.of_head(keys)), scaled, store{by_key});
    if (queries.rows() > 0 && at.first_query == 0)
      w.product(transpose::no, at.of_keys(k), w.pack_right(transpose::yes, at.of_head(queries)), scaled, store{by_query});
    for_each_score(at, s, by_key, by_query, [](real& score, real term) { score += term; });
  }
  /// As score_numbers'.
  void add_back(const block& at, const const_view<operand>& q, const const_view<operand>& k, const workspace& w, const view<real>& ds,
                const view<real>& sum_k) const {
    view<real> by_key = of_queries(at, w), by_query = of_keys(at, w, 1);
    by_key.setZero();
    if (at.first_query == 0) by_query.setZero();
    for_each_score(at, ds, by_key, by_query, [](real score, real& term) { term += score; });
    const const_view<real> da = by_key, db = by_query;
    if (keys.rows() > 0) {
      w.product(transpose::no, da, w.pack_right(transpose::no, at.of_head(keys)), store{sum_q(at, w)});
      if (dkeys.rows() > 0) w.product(transpose::yes, da, w.pack_right(transpose::no, at.of_queries(q)), accumulate{at.of_head(dkeys)});
    }
    if (queries.rows() > 0 && at.last()) {
      w.product(transpose::no, db, w.pack_right(transpose::no, at.of_head(queries)), accumulate{sum_k});
      if (dqueries.rows() > 0) w.product(transpose::yes, db, w.pack_right(transpose::no, at.of_keys(k)), accumulate{at.of_head(dqueries)});
    }
  }
  /// What the gradients of a block's queries get besides.
  ops::add<real> more_of_queries(const block& at, const workspace& w) const { return {sum_q(at, w), keys.rows() > 0 ? real(1) : real(0)}; }

 private:
  /// Scores of content by distance, and their gradients: (queries, R), (T, R); and dA r (queries, D).
  view<real> of_queries(const block& at, const workspace& w) const { return {w.extra, at.queries, widest(), detail::padded(widest())}; }
  view<real> of_keys(const block& at, const workspace& w, index i) const {
    const index stride = detail::padded(widest());
    return {w.extra + (at.most_queries() + i * at.all_keys) * stride, at.all_keys, widest(), stride};
  }
  view<real> sum_q(const block& at, const workspace& w) const { return {of_keys(at, w, 2).data(), at.queries, at.size}; }
  /// F(score, term) for both terms of every score
  template <class F>
  void for_each_score(const block& at, const view<real>& s, const view<real>& by_key, const view<real>& by_query, F&& f) const {
    for (index i = 0; i < at.queries; ++i) {
      const std::int32_t* row = rows.data() + longest - 1 + at.first_query + i;
      real *score = s.row_data(i), *key_terms = by_key.row_data(i);
      for (index j = 0; j < at.keys; ++j) {
        if (keys.rows() > 0) f(score[j], key_terms[row[-j]]);
        if (queries.rows() > 0) f(score[j], by_query.row_data(j)[row[-j]]);
      }
    }
  }
};

}  // namespace graft::ops
