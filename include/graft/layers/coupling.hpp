#pragma once
// The coupling of two halves of a row: an invertible function, whatever its two networks compute.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/layers/linear.hpp"

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

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const;
  /// DX may be DY's memory.
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx);

  void for_each_parameter(parameter_visitor<real> visit) {
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
  static network make(const std::string& prefix, index in, index out, double reduction);
  /// Y += the network's answer to T
  void add(const network& n, const_view<real> t, view<real> y, typename saved::network* s, context& ctx) const;
  /// DT += what comes through the network, unless DT is null.
  void add_backward(network& n, const_view<real> dy, const typename saved::network& s, view<real>* dt, context& ctx);

  activation act_;
};

static_assert(layer<coupling<f64>> && layer<coupling<f32>> && layer<coupling<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/coupling-inl.hpp"  // IWYU pragma: export
#endif
