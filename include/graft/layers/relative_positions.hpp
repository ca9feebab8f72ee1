#pragma once
// What attention is told of the distance between two tokens, in tables that all layers share.

#include <optional>
#include <span>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/layers/layer_norm.hpp"
#include "graft/layers/relative_options.hpp"

namespace graft {

/// Rows of a table for distances d, a query's position less a key's. All layers use them; their gradients add up.
///   number   the score of head h gets table(row(d), h)
///   vectors  r_d = LN(table)_row(d), or the table's row: what layers make keys and queries of (ops/disentangled_attention.hpp)
/// Source: transformers' MPNetEncoder.relative_position_bucket; make_log_bucket_position of its DeBERTa-v2, with the same roundings in f32.
/// Tested: tests/layers/relative_positions_test.cpp
template <class P>
class relative_positions {
 public:
  using real = typename P::real;

  /// Parameters PREFIX.relative_positions.weight and PREFIX.relative_norm.*
  relative_positions(const std::string& prefix, const relative_options& o)
      : table(parameter<real>::table(prefix + ".relative_positions.weight", parameter_role::weight, o.rows(),
                                     o.disentangled ? o.hidden_size : o.heads)),
        options_(o) {
    if (o.normalized) norm.emplace(prefix + ".relative_norm", o.hidden_size, o.eps);
  }

  const relative_options& options() const { return options_; }
  /// The table's row for the distance D.
  index row_of(index d) const;
  /// Those of the distances -(LONGEST - 1) .. LONGEST - 1, less FIRST, in scratch memory.
  std::span<const std::int32_t> rows_of_distances(index longest, index first, context& ctx) const;

  /// (heads, 2 LONGEST - 1) what each head's scores get at those distances.
  view<real> numbers(index longest, context& ctx) const;
  /// DNUMBERS is the sum over everything of the gradients of these.
  void numbers_backward(const_view<real> dnumbers, index longest, context& ctx) {
    view<real> d_table = gradient_of(table, ctx);
    for (index d = 1 - longest; d < longest; ++d) d_table.row(row_of(d)) += dnumbers.col(d + longest - 1).transpose();
  }

  /// r (as many rows as Y) of the table's rows from FIRST on.
  void vectors(index first, view<real> y, typename layer_norm<P>::saved* s, context& ctx) const;
  void vectors_backward(index first, const_view<real> dy, const typename layer_norm<P>::saved& s, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
    f(table);
    if (norm) norm->for_each_parameter(f);
  }

  parameter<real> table;              // a row for each distance, or for each bucket of them
  std::optional<layer_norm<P>> norm;  // of the table's rows, where the family has one

 private:
  relative_options options_;
};

static_assert(parameterized<relative_positions<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/relative_positions-inl.hpp"  // IWYU pragma: export
#endif
