#pragma once
// The low-rank update of a frozen weight (LoRA).

#include <string>
#include <vector>

#include "graft/core/layer.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/gemm/gemm.hpp"
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
  low_rank(const std::string& prefix, index in, index out, index r, double alpha);

  real scale() const { return scale_; }

  /// s u (N, r), in scratch memory.
  view<real> project(const packed_a<P>& x, context& ctx) const;
  /// du (N, r), in scratch memory.
  view<real> project_back(const packed_a<P>& dy, context& ctx) const;

  /// The epilogue that adds the update to y, or to dx.
  ops::add_low_rank<real> term(const_view<real> u) const { return {u, b.value()}; }
  ops::add_low_rank_backward<real> term_back(const_view<real> du, const context& ctx) const { return {du, a.value(), mask_of(ctx)}; }

  /// Adds the gradients of those of A and B that are trained, where the update is added WEIGHT times, and ROWS (N, 1), if not null, times.
  template <class S, class X>
  void accumulate_gradients(const const_view<S>& dy, const const_view<X>& x, context& ctx, real weight = real(1),
                            const view<real>* rows = nullptr) {
    scratch::mark mark(ctx.memory);
    const auto scale = [&](view<real> u) {
      if (weight != real(1)) u *= weight;
      for (index r = 0; rows != nullptr && r < u.rows(); ++r) u.row(r) *= (*rows)(r, 0);
    };
    if (b.is_trained()) {
      ++ctx.counters.weight_gradient_products;
      view<real> u = project(as_factor<P>(x, ctx), ctx);
      scale(u);
      multiply<P>(transpose::yes, dy, transpose::no, const_view<real>(u), real(1), gradient_of(b, ctx), ctx);
    }
    if (a.is_trained()) {
      ++ctx.counters.weight_gradient_products;
      view<real> du = project_back(as_factor<P>(dy, ctx), ctx);
      scale(du);
      if (const auto mask = mask_of(ctx); mask.active()) {
        view<real> seen = ctx.memory.take<real>(x.rows(), x.cols());
        convert_rows(x, seen, ctx.threads);
        mask(0, 0, seen);
        multiply<P>(transpose::yes, const_view<real>(du), transpose::no, const_view<real>(seen), real(1), gradient_of(a, ctx), ctx);
        return;
      }
      multiply<P>(transpose::yes, const_view<real>(du), transpose::no, x, real(1), gradient_of(a, ctx), ctx);
    }
  }

  template <class F>
  void for_each_parameter(F&& f) {
    f(a);
    f(b);
  }

  parameter<real> a, b;  // the update is s B A
  ops::dropout_options dropout;

 private:
  ops::matrix_dropout<real> mask_of(const context& ctx) const { return {dropout, a.cols(), ctx}; }

  real scale_;
};

static_assert(parameterized<low_rank<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/low_rank-inl.hpp"  // IWYU pragma: export
#endif
