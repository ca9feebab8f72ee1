#pragma once
// A table of vectors, one a row.

#include <cstdint>
#include <span>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/precision.hpp"

namespace graft {

/// y_n += W[id_n]          Backward:  dW[id_n] += dy_n, but for the ids PADDING (-1: none)
/// @param  ids  (N) rows of the table            y (N, H) is added to, since the model sums three tables            W (V, H)
/// Saved: nothing (the caller has the ids).   Cost: one pass over y.   Frozen: backward does nothing.
/// Source: torch.nn.Embedding, PADDING its padding_idx.   Tested: tests/layers/embedding_test.cpp
template <class P>
class embedding {
 public:
  using real = typename P::real;

  /// Parameter PREFIX.weight
  embedding(const std::string& prefix, index rows, index hidden_size)
      : weight(parameter<real>::table(prefix + ".weight", parameter_role::weight, rows, hidden_size)) {}

  /// @throws shape_error  an id outside 0 .. V - 1
  void add_forward(std::span<const std::int32_t> ids, view<real> y, context& ctx) const;
  void backward(std::span<const std::int32_t> ids, const_view<real> dy, context& ctx, std::int32_t padding = -1);

  void for_each_parameter(parameter_visitor<real> f) { f(weight); }

  parameter<real> weight;  // the table
};

static_assert(parameterized<embedding<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/embedding-inl.hpp"  // IWYU pragma: export
#endif
