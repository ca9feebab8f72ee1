#pragma once
// AdamW and rectified Adam with decoupled weight decay, by parameter role.

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/parameter.hpp"
#include "graft/optim/pieces.hpp"

namespace graft {

enum class optimizer_type : std::uint8_t { adam, radam };

/// @throws config_error  TEXT is neither
inline optimizer_type parse_optimizer_type(const std::string& text) {
  if (text == "adam") return optimizer_type::adam;
  if (text == "radam") return optimizer_type::radam;
  throw config_error("optimizer_type is \"" + text + "\", one of adam, radam was expected");
}

struct adamw_options {
  optimizer_type type = optimizer_type::adam;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;  // of parameters in the role `weight`; all others have none
};

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

  adamw(std::vector<parameter<T>*> parameters, const adamw_options& o) : parameters_(std::move(parameters)), options_(o) {
    for (auto* p : parameters_) {
      state_.push_back({matrix<T>::Zero(p->rows(), p->cols()), matrix<T>::Zero(p->rows(), p->cols())});
    }
  }

  const std::vector<parameter<T>*>& parameters() const { return parameters_; }
  std::vector<moments>& state() { return state_; }
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

  /// One step with the given rates, for the parameters that have a gradient; `mixing_rate` is for those in the role `mixing`.
  void step(double rate, double mixing_rate, int threads) {
    ++steps_;
    const double t = static_cast<double>(steps_);
    const double decay2 = std::pow(options_.beta2, t);
    double scale = std::sqrt(1 - decay2) / (1 - std::pow(options_.beta1, t));
    bool adaptive = true;
    if (options_.type == optimizer_type::radam) {
      const double rho = 2 / (1 - options_.beta2) - 1;
      const double rho_t = rho - 2 * t * decay2 / (1 - decay2);
      adaptive = rho_t >= 5;
      scale = adaptive ? scale * std::sqrt((rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t))
                       : 1 / (1 - std::pow(options_.beta1, t));
    }
    detail::for_each_piece(parameters_, threads, [&](std::size_t i, index, index begin, index end) {
      const parameter<T>& p = *parameters_[i];
      const double own_rate = p.role == parameter_role::mixing ? mixing_rate : rate;
      const double wd = p.role == parameter_role::weight ? options_.weight_decay : 0;
      update(*parameters_[i], state_[i], T(own_rate * scale), T(own_rate * wd), adaptive, begin, end);
    });
  }

  void zero_gradients() {
    for (auto* p : parameters_) {
      if (p->has_gradient()) p->gradient().setZero();
    }
  }

 private:
  void update(parameter<T>& p, moments& s, T step_size, T decay, bool adaptive, index begin, index end) const {
    const T b1 = T(options_.beta1);
    const T b2 = T(options_.beta2);
    const T eps = T(options_.epsilon);
    using numbers = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>>;
    const auto piece = [&](T* all) { return numbers(all + begin, end - begin); };
    const numbers g = piece(p.gradient().data());
    numbers value = piece(p.edit().data()), m = piece(s.m.data()), v = piece(s.v.data());
    m = b1 * m + (T(1) - b1) * g;
    v = b2 * v + (T(1) - b2) * g.square();
    if (adaptive) {
      value -= step_size * m / (v.sqrt() + eps);
    } else {
      value -= step_size * m;
    }
    value -= decay * value;
  }

  std::vector<parameter<T>*> parameters_;
  adamw_options options_;
  std::vector<moments> state_;
  std::int64_t steps_ = 0;
};

}  // namespace graft
