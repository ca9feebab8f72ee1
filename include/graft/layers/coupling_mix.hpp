#pragma once
// What stands behind the embeddings: an invertible adapter, or what several in a mix change, each with its weight.

#include <vector>

#include "graft/layers/coupling.hpp"
#include "graft/layers/mixing_weights.hpp"

namespace graft {

/// y = x + sum_k w_k (e_k(x) - x),   e_k being member k's coupling; every other member leaves x as it is: where all w of the mix sum to
/// one, y = sum of w times what each member alone would give here. Without weights y = e_0(x), or x where member 0 has none: of one
/// adapter, and of a fusion, as in AdapterHub's library. Backward:  dw_k = <dy, e_k(x) - x>;   w_k dy goes through e_k
/// @param  x  (N, H) rows are tokens            @param[out] y  (N, H), x's memory or another
/// Saved: what the couplings save; with weights, e_k(x) - x (N, H).   Tested: tests/model/gradient_test.cpp, tests/model/mix_test.cpp
template <class P>
class coupling_mix : public mixed_parts<P, coupling<P>> {
 public:
  using real = typename P::real;
  using parts = mixed_parts<P, coupling<P>>;
  using parts::parts, parts::members, parts::weights;
  struct saved {
    struct one {
      typename coupling<P>::saved inner;
      buffer<real> change;
    };
    std::vector<one> with;
  };

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const;
  /// DX may be DY's memory.
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx);
};

static_assert(layer<coupling_mix<f64>> && layer<coupling_mix<f32>> && layer<coupling_mix<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/coupling_mix-inl.hpp"  // IWYU pragma: export
#endif
