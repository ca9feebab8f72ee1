#pragma once
// AdamW and rectified Adam with decoupled weight decay, by parameter role.

#include <cstdint>
#include <vector>

#include "graft/core/parameter.hpp"
#include "graft/optim/adamw_options.hpp"

namespace graft {

/// m = b1 m + (1 - b1) g;   v = b2 v + (1 - b2) g^2;   p -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps);   p -= rate wd p, new p.
/// radam: with rho = 2 / (1 - b2) - 1 and rho_t = rho - 2 t b2^t / (1 - b2^t), the Adam step is scaled by
/// sqrt((rho_t - 4)(rho_t - 2) rho / ((rho - 4)(rho - 2) rho_t)) when rho_t >= 5, else it is rate / (1 - b1^t) m.
/// Memory: two numbers a trained parameter.   Source: Loshchilov and Hutter 2019 as in transformers 2.3 AdamW; Liu et al. 2020.
/// Tested: tests/optim/adamw_test.cpp
template <class T>
class adamw {
 public:
  struct moments {
    matrix<T> m, v;
  };

  /// Moments of zero for each of PARAMETERS, which must outlive this.
  adamw(std::vector<parameter<T>*> parameters, const adamw_options& o);

  const std::vector<parameter<T>*>& parameters() const { return parameters_; }
  /// The moments, in the order of `parameters`, and the number of steps taken: what a checkpoint keeps.
  std::vector<moments>& state() { return state_; }
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps);

  /// One step with the given rates, for the parameters that have a gradient; `mixing_rate` is for those in the role `mixing`.
  void step(double rate, double mixing_rate, int threads);

  /// Sets all gradients to zero, before those of a batch are added up.
  void zero_gradients();

 private:
  /// EDITED: P's value, to be changed.
  void update(parameter<T>& p, T* edited, moments& s, T step_size, T decay, bool adaptive, index begin, index end) const;

  std::vector<parameter<T>*> parameters_;
  adamw_options options_;
  std::vector<moments> state_;
  std::vector<T*> values_;  // of a step
  std::int64_t steps_ = 0;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/optim/adamw-inl.hpp"  // IWYU pragma: export
#endif
