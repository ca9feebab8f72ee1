#pragma once
// What stands behind the embeddings: an invertible adapter, or what several in a mix change, each with its weight.

#include <memory>
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
class coupling_mix {
 public:
  using real = typename P::real;
  /// Of the member that the weight NUMBER is for.
  struct member {
    index number;
    coupling<P> by;
  };
  struct saved {
    struct one {
      typename coupling<P>::saved inner;
      buffer<real> change;
    };
    std::vector<one> with;
  };

  /// Of no member yet; without weights if SHARED is null.
  explicit coupling_mix(std::shared_ptr<mixing_weights<P>> shared) : weights(std::move(shared)) {}

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx) const;
  /// DX may be DY's memory.
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx);

  /// Whether it takes part in the gradient of weights that are visited elsewhere.
  bool trains_elsewhere() const { return weights != nullptr && weights->v.is_trained(); }

  /// Those of the members; the mixing weights are visited where their owner is.
  template <class F>
  void for_each_parameter(F&& f) {
    for (member& m : members) m.by.for_each_parameter(f);
  }

  std::shared_ptr<mixing_weights<P>> weights;  // w; null: see above
  std::vector<member> members;

 private:
  /// Where member 0 stands among the members; behind the last: nowhere.
  std::size_t first() const;
};

static_assert(layer<coupling_mix<f64>> && layer<coupling_mix<f32>> && layer<coupling_mix<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/coupling_mix-inl.hpp"  // IWYU pragma: export
#endif
