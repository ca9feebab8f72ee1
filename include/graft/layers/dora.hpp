#pragma once
// A frozen weight with a low-rank update, the rows of their sum at lengths of their own (DoRA).

#include <string>

#include "graft/core/error.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/parallel.hpp"
#include "graft/layers/low_rank.hpp"

namespace graft {

/// W' = g V, row by row,   V = W + s B A,   g_i = m_i / |V_i|:   what stands in W's place
/// Backward, with D = dy^T x:  dm_i = <D_i, V_i> / |V_i|;   dB = s g D A^T;   dA = s B^T g D.   |V_i| is taken for a constant, as in PEFT.
/// W' is computed anew from A, B and m wherever they changed; `precompute` keeps it until one of them is edited.
/// @param  w  (O, I)            A (r, I), B (O, r), m (O)
/// Saved: nothing; the caller keeps x.   Source: Liu et al. 2024, sections 4.1 and 4.3; PEFT's lora/dora.py.
/// Tested: tests/layers/dora_test.cpp
template <class P>
class dora {
 public:
  using real = typename P::real;

  /// Parameters PREFIX.lora_A.weight, PREFIX.lora_B.weight and PREFIX.lora_magnitude_vector, zero.
  dora(const std::string& prefix, index in, index out, index r, double alpha)
      : by(prefix, in, out, r, alpha),
        magnitude(parameter<real>::vector(prefix + tensor_names::lora_magnitude, parameter_role::adapter, out)) {}

  /// m = |W|, with which, B being zero, W' is W.
  /// @throws config_error  a row of W is zero, and has no direction
  void initialize_magnitude(const parameter<real>& w) {
    magnitude.edit() = w.value().rowwise().norm().transpose();
    for (index i = 0; i < w.rows(); ++i) {
      if (magnitude.value()(0, i) == real(0)) {
        throw config_error("row " + std::to_string(i) + " of " + w.name +
                           " is zero: DoRA divides by its length; tune it without (lora_dora)");
      }
    }
  }

  /// W' in W's place.
  product_weight<P> factor(const parameter<real>& w, transpose op, context& ctx) const {
    if (precomputed() != nullptr) return {w.value(), op, precomputed()};
    return {merged(w, ctx), op};
  }
  /// Computes W' for the products that come, until A, B or m is edited; the caller packs A and B, too.
  void precompute(const parameter<real>& w, context& ctx) {
    if (precomputed() != nullptr) return;
    scratch::mark mark(ctx.memory);
    pack_weight<P>(magnitude, merged(w, ctx), true, ctx.threads);
  }

  /// Adds the gradients of A, B and m.
  template <class S, class X>
  void accumulate_gradients(const parameter<real>& w, const const_view<S>& dy, const const_view<X>& x, context& ctx) {
    if (!is_trainable(*this)) return;
    scratch::mark mark(ctx.memory);
    view<real> d = ctx.memory.take<real>(w.rows(), w.cols()), sums = ctx.memory.take<real>(1, w.rows());
    ++ctx.counters.weight_gradient_products;
    multiply<P>(transpose::yes, dy, transpose::no, x, real(0), d, ctx);
    view<real> rows = ctx.memory.take_rows<real>(ctx.threads, w.cols());
    parallel_for(w.rows(), 16, ctx.threads, [&](index begin, index end) {
      view<real> v = rows.window(omp_get_thread_num(), 0, 1, w.cols());
      for (index i = begin; i < end; ++i) {
        const real length = sum_row(w, i, v);
        sums(0, i) = d.row(i).dot(v.row(0)) / length;
        d.row(i) *= by.scale() * magnitude.value()(0, i) / length;
      }
    });
    if (magnitude.is_trained()) gradient_of(magnitude, ctx) += sums;
    const const_view<real> scaled = d;
    if (by.b.is_trained()) multiply<P>(transpose::no, scaled, transpose::yes, by.a.value(), real(1), gradient_of(by.b, ctx), ctx);
    if (by.a.is_trained()) multiply<P>(transpose::yes, by.b.value(), transpose::no, scaled, real(1), gradient_of(by.a, ctx), ctx);
  }

  void for_each_parameter(parameter_visitor<real> f) {
    by.for_each_parameter(f);
    f(magnitude);
  }

  low_rank<P> by;             // s B A
  parameter<real> magnitude;  // m

 private:
  /// W' as it was packed, if A, B and m are what they were then.
  const packed_weight* precomputed() const { return by.a.packed() != nullptr && by.b.packed() != nullptr ? magnitude.packed() : nullptr; }
  /// V = V_i (1, I); returns |V_i|.
  real sum_row(const parameter<real>& w, index i, view<real> v) const {
    v = w.value().row(i);
    for (index k = 0; k < by.a.rows(); ++k) v += by.scale() * by.b.value()(i, k) * by.a.value().row(k);
    return v.row(0).norm();
  }
  /// W', in scratch memory.
  view<real> merged(const parameter<real>& w, context& ctx) const {
    view<real> to = ctx.memory.take<real>(w.rows(), w.cols());
    parallel_for(w.rows(), 16, ctx.threads, [&](index begin, index end) {
      for (index i = begin; i < end; ++i) {
        view<real> row = to.window(i, 0, 1, to.cols());
        const real length = sum_row(w, i, row);
        row *= magnitude.value()(0, i) / length;
      }
    });
    return to;
  }
};

static_assert(parameterized<dora<f64>>);

}  // namespace graft
