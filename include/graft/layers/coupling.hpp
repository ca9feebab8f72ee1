#pragma once
// The coupling of two halves of a row: an invertible function, whatever its two networks compute.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/range.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/activation.hpp"

namespace graft {

/// y_1 = x_1 + F(x_2),   y_2 = x_2 + G(y_1),   x = [x_1; x_2], x_1 the first H / 2 columns;   F(t) = a(z) U^T + u,   z = t D^T + d, and G
/// alike. It adds what one half says to the other, so that the same two networks take it back: an invertible adapter behind the embeddings.
/// Backward:  d_1 = dy_1 + J_G^T dy_2;   dx_1 = d_1;   dx_2 = dy_2 + J_F^T d_1
/// @param  x  (N, H) rows are tokens            @param[out] y  (N, H), x's memory or another
/// Saved: of each network z (N, K), t and a(z), the last two while they are trained.
/// Source: Dinh et al. 2014 (NICE), section 3.2; Pfeiffer et al. 2020 (MAD-X), section 3.1; AdapterHub's library, methods/modeling.py
/// (NICECouplingBlock).   Tested: tests/layers/coupling_test.cpp
template <class P>
class coupling {
 public:
  using real = typename P::real;
  struct saved {
    struct network {
      typename linear<P>::saved down, up;
      buffer<real> z;
    };
    network f, g;
  };

  /// Parameters PREFIX.{f,g}.{down,up}_project.*; the networks' widths are their inputs' by REDUCTION, rounded down.
  /// @throws config_error  that leaves no width
  coupling(const std::string& prefix, index hidden_size, double reduction, activation act)
      : f(make(prefix + ".f", hidden_size - hidden_size / 2, hidden_size / 2, reduction)),
        g(make(prefix + ".g", hidden_size / 2, hidden_size - hidden_size / 2, reduction)),
        act_(act) {}

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const {
    const index half = x.cols() / 2, rest = x.cols() - half;
    if (x.data() != y.data()) y = x;
    const view<real> first = y.window(0, 0, y.rows(), half), second = y.window(0, half, y.rows(), rest);
    add(f, second, first, s != nullptr ? &s->f : nullptr, ctx);
    add(g, first, second, s != nullptr ? &s->g : nullptr, ctx);
  }
  /// DX may be DY's memory.
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
    scratch::mark mark(ctx.memory);
    const index half = dy.cols() / 2, rest = dy.cols() - half;
    view<real> scratch_d = ctx.memory.take<real>(dx != nullptr ? 0 : dy.rows(), dy.cols());
    view<real> d = dx != nullptr ? *dx : scratch_d;
    if (d.data() != dy.data()) d = dy;
    view<real> first = d.window(0, 0, d.rows(), half), second = d.window(0, half, d.rows(), rest);
    add_backward(g, second, s.g, &first, ctx);
    add_backward(f, first, s.f, dx != nullptr ? &second : nullptr, ctx);
  }

  template <class F>
  void for_each_parameter(F&& visit) {
    for (network* one : {&f, &g}) {
      one->down_project.for_each_parameter(visit);
      one->up_project.for_each_parameter(visit);
    }
  }

  /// D, d and U, u.
  struct network {
    linear<P> down_project, up_project;
  };
  network f, g;

 private:
  static network make(const std::string& prefix, index in, index out, double reduction) {
    if (!ranges::adapter_size.contains(static_cast<double>(in) / reduction)) {
      throw config_error("inv_adapter_reduction_factor is " + number_text(reduction) + ": " + std::to_string(in) +
                         " / inv_adapter_reduction_factor is an invertible adapter's width, " + ranges::adapter_size.text() +
                         " was expected");
    }
    const auto width = static_cast<index>(static_cast<double>(in) / reduction);
    return {{prefix + ".down_project", in, width, parameter_role::adapter}, {prefix + ".up_project", width, out, parameter_role::adapter}};
  }
  /// Y += the network's answer to T
  void add(const network& n, const_view<real> t, view<real> y, typename saved::network* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    const index width = n.down_project.out();
    view<real> a = ctx.memory.take<real>(t.rows(), width), update = ctx.memory.take<real>(t.rows(), y.cols());
    n.down_project.forward(t, a, s != nullptr ? &s->down : nullptr, ctx);
    if (s != nullptr) s->z.assign(a);
    for (index r = 0; r < a.rows(); ++r) ops::activate_row<real>(act_, a.row(r), a.row(r));
    n.up_project.forward(a, update, s != nullptr ? &s->up : nullptr, ctx);
    y += update;
  }
  /// DT += what comes through the network, unless DT is null.
  void add_backward(network& n, const_view<real> dy, const typename saved::network& s, view<real>* dt, context& ctx) {
    scratch::mark mark(ctx.memory);
    const bool deeper = dt != nullptr || is_trainable(n.down_project);
    view<real> da = ctx.memory.take<real>(deeper ? dy.rows() : 0, n.down_project.out());
    n.up_project.backward(dy, s.up, deeper ? &da : nullptr, ctx);
    const const_view<real> z = s.z;
    for (index r = 0; r < da.rows(); ++r) ops::activate_row_backward<real>(act_, da.row(r), z.row(r), da.row(r));
    if (!deeper) return;
    n.down_project.accumulate_gradients(const_view<real>(da), s.down, ctx);
    if (dt != nullptr) n.down_project.product_back(da, s.down, ctx, ops::accumulate{*dt});
  }

  activation act_;
};

static_assert(layer<coupling<f64>> && layer<coupling<f32>> && layer<coupling<bf16>>);

}  // namespace graft
