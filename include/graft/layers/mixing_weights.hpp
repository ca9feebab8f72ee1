#pragma once
// The mixing weights of a multi-adapter.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/layer.hpp"
#include "graft/core/precision.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft {

/// w (1, M) from v (1, M), by mode; shared by the sites of one weight set.
/// Backward:  softmax dv = w (dw - <dw, w>);   gates dv = dw w (1 - w);   weights dv = dw
/// Source: nlprunners' weighted sums.   Tested: tests/layers/mixing_weights_test.cpp
template <class P>
class mixing_weights {
 public:
  using real = typename P::real;

  /// Parameter PREFIX.weights
  mixing_weights(const std::string& prefix, index count, mixing_mode mode)
      : v(parameter<real>::vector(prefix + ".weights", parameter_role::mixing, count,
                                  mode == mixing_mode::softmax   ? real(1) / real(count)
                                  : mode == mixing_mode::weights ? real(1)
                                                                 : real(0))),
        mode_(mode) {}

  index count() const { return v.size(); }

  void forward(view<real> w) const;
  /// w, in scratch memory.
  view<real> current(context& ctx) const;
  void backward(const_view<real> dw, const_view<real> w, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) { f(v); }

  parameter<real> v;  ///< (1, M), one number for each member

 private:
  mixing_mode mode_;
};

/// Those members of a mix that change something at one place, each by a PART.
template <class P, class Part>
class mixed_parts {
 public:
  using real = typename P::real;
  /// Of the member that the weight NUMBER is for.
  struct member {
    index number;
    Part by;
  };

  /// Of no member yet.
  explicit mixed_parts(std::shared_ptr<mixing_weights<P>> shared) : weights(std::move(shared)) {}

  /// Whether it takes part in the gradient of weights that are visited elsewhere.
  bool trains_elsewhere() const { return weights != nullptr && weights->v.is_trained(); }

  /// Those of the members; the mixing weights are visited where their owner is.
  void for_each_parameter(parameter_visitor<real> f) {
    for (member& m : members) m.by.for_each_parameter(f);
  }

  std::shared_ptr<mixing_weights<P>> weights;  // w; null: there are none
  std::vector<member> members;                 // what w mixes
};

static_assert(parameterized<mixing_weights<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/mixing_weights-inl.hpp"  // IWYU pragma: export
#endif
