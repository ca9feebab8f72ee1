#pragma once
// The low-rank update of a frozen weight (LoRA).

#include <string>
#include <vector>

#include "graft/core/layer.hpp"
#include "graft/gemm/gemm.hpp"

namespace graft {

/// Which projections get an update, and how large.
struct lora_options {
  index r = 8;       // rank
  double alpha = 8;  // the update is scaled by alpha / r
  std::vector<std::string> targets{"query", "value"};
};

/// Whether TARGET, the end of a name from a dot on, names LAYER.
inline bool is_target(const std::string& layer, const std::string& target) { return layer.ends_with("." + target); }

/// y += s u B^T,   u = x A^T,   s = alpha / r: what makes W x into (W + s B A) x
/// Backward:  du = s dy B;   dx += du A;   dA += du^T x;   dB += s dy^T u, u recomputed from x
/// @param  x  (N, I) rows are tokens            @param[out] y  (N, O)            A (r, I), B (O, r)
/// Saved: nothing; the caller keeps x.   Source: Hu et al. 2021, section 4.1.   Tested: tests/layers/low_rank_test.cpp
template <class P>
class low_rank {
 public:
  using real = typename P::real;

  /// Parameters PREFIX.lora_A.weight and PREFIX.lora_B.weight, zero.
  low_rank(const std::string& prefix, index in, index out, index r, double alpha)
      : a(parameter<real>::table(prefix + ".lora_A.weight", parameter_role::adapter, r, in)),
        b(parameter<real>::table(prefix + ".lora_B.weight", parameter_role::adapter, out, r)),
        scale_(static_cast<real>(alpha / static_cast<double>(r))) {}

  real scale() const { return scale_; }

  void add_forward(const_view<real> x, view<real> y, context& ctx) const {
    scratch::mark mark(ctx.memory);
    multiply<P>(as::is, project(x, ctx), as::transposed, const_view<real>(b.value), real(1), y, ctx);
  }
  void accumulate_gradients(const_view<real> dy, const_view<real> x, context& ctx) {
    scratch::mark mark(ctx.memory);
    if (b.trainable) {
      ++ctx.counters.weight_gradient_products;
      multiply<P>(as::transposed, dy, as::is, project(x, ctx), real(1), view<real>(b.gradient()), ctx);
    }
    if (a.trainable) {
      ++ctx.counters.weight_gradient_products;
      multiply<P>(as::transposed, project_back(dy, ctx), as::is, x, real(1), view<real>(a.gradient()), ctx);
    }
  }
  void add_input_gradient(const_view<real> dy, view<real> dx, context& ctx) const {
    scratch::mark mark(ctx.memory);
    multiply<P>(as::is, project_back(dy, ctx), as::is, const_view<real>(a.value), real(1), dx, ctx);
  }

  template <class F>
  void for_each_parameter(F&& f) {
    f(a);
    f(b);
  }

  parameter<real> a, b;

 private:
  /// s u
  const_view<real> project(const_view<real> x, context& ctx) const {
    view<real> u = ctx.memory.take<real>(x.rows(), a.value.rows());
    multiply<P>(as::is, x, as::transposed, const_view<real>(a.value), real(0), u, ctx);
    u *= scale_;
    return u;
  }
  /// du
  const_view<real> project_back(const_view<real> dy, context& ctx) const {
    view<real> du = ctx.memory.take<real>(dy.rows(), a.value.rows());
    multiply<P>(as::is, dy, as::is, const_view<real>(b.value), real(0), du, ctx);
    du *= scale_;
    return du;
  }

  real scale_;
};

static_assert(parameterized<low_rank<f64>>);

}  // namespace graft
