#pragma once
// The low-rank update of a frozen weight (LoRA).

#include <string>

#include "graft/core/layer.hpp"
#include "graft/gemm/gemm.hpp"
#include "graft/layers/tensor_names.hpp"
#include "graft/ops/epilogues.hpp"

namespace graft {

/// y += s u B^T,   u = (m x) A^T,   s = alpha / r: what makes W x into (W + s B A) x; m the mask of a dropout in training, or 1
/// Backward:  du = s dy B;   dx += m (du A);   dA += du^T (m x);   dB += s dy^T u, u recomputed from x
/// @param  x  (N, I) rows are tokens            @param[out] y  (N, O)            A (r, I), B (O, r)
/// Saved: nothing; the caller keeps x.   Source: Hu et al. 2021, section 4.1; dropout as in PEFT.   Tested: tests/layers/low_rank_test.cpp
template <class P>
class low_rank {
 public:
  using real = typename P::real;

  /// Parameters PREFIX.lora_A.weight and PREFIX.lora_B.weight, zero.
  low_rank(const std::string& prefix, index in, index out, index r, double alpha)
      : a(parameter<real>::factor(prefix + tensor_names::lora_a, parameter_role::adapter, r, in)),
        b(parameter<real>::factor(prefix + tensor_names::lora_b, parameter_role::adapter, out, r)),
        scale_(static_cast<real>(alpha / static_cast<double>(r))) {}

  real scale() const { return scale_; }

  /// s u (N, r), in scratch memory.
  view<real> project(const product_input<P>& x, context& ctx) const {
    const auto mask = mask_of(ctx);
    const auto drop = [&](real* numbers, index row, index col, index n) { mask.apply(numbers, numbers, row, col, n); };
    return ops::taken_product<P>(mask.active() ? x.changed(ctx, drop) : x, {a, transpose::yes}, ctx, ops::scale<real>{scale_});
  }
  /// du (N, r), in scratch memory.
  view<real> project_back(const product_input<P>& dy, context& ctx) const {
    return ops::taken_product<P>(dy, {b, transpose::no}, ctx, ops::scale<real>{scale_});
  }

  /// The epilogue that adds the update to y, or to dx.
  ops::add_low_rank<real> term(const_view<real> u) const { return {u, b.value()}; }
  ops::add_low_rank_backward<real> term_back(const_view<real> du, const context& ctx) const { return {du, a.value(), mask_of(ctx)}; }

  /// Adds the gradients of those of A and B that are trained, where the update is added WEIGHT times, and G (N, 1), if it has rows, times.
  template <class S, class X>
  void accumulate_gradients(const const_view<S>& dy, const const_view<X>& x, context& ctx, real weight = real(1),
                            const_view<real> g = {nullptr, 0, 0}) {
    scratch::mark mark(ctx.memory);
    const auto scaled = [&](view<real> u) {
      if (weight != real(1)) u *= weight;
      if (g.rows() > 0) ops::scale_rows{g}(0, 0, u);
      return u;
    };
    if (b.is_trained()) add_weight_gradient<P>(b, dy, scaled(project(x, ctx)), ctx);
    if (!a.is_trained()) return;
    const view<real> du = scaled(project_back(dy, ctx));
    if (const auto mask = mask_of(ctx); mask.active()) {
      view<real> seen = ctx.memory.take<real>(x.rows(), x.cols());
      convert_rows(x, seen, ctx.threads);
      mask(0, 0, seen);
      add_weight_gradient<P>(a, du, seen, ctx);
    } else {
      add_weight_gradient<P>(a, du, x, ctx);
    }
  }

  void for_each_parameter(parameter_visitor<real> f) {
    f(a);
    f(b);
  }

  parameter<real> a, b;          // the update is s B A
  ops::dropout_options dropout;  // m

 private:
  ops::matrix_dropout<real> mask_of(const context& ctx) const { return {dropout, a.cols(), ctx}; }

  real scale_;
};

static_assert(parameterized<low_rank<f64>>);

}  // namespace graft
