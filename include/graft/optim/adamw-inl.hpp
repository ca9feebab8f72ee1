#pragma once
// Bodies of graft/optim/adamw.hpp.

#include <cmath>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/optim/adamw.hpp"
#include "graft/optim/chunks.hpp"

namespace graft {

template <class T>
adamw<T>::adamw(std::vector<parameter<T>*> parameters, const adamw_options& o) : parameters_(std::move(parameters)), options_(o) {
  for (auto* p : parameters_) {
    state_.push_back({matrix<T>::Zero(p->rows(), p->cols()), matrix<T>::Zero(p->rows(), p->cols())});
  }
}

template <class T>
void adamw<T>::set_steps(std::int64_t steps) {
  steps_ = steps;
}

template <class T>
void adamw<T>::step(double rate, double mixing_rate, int threads) {
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
  values_.clear();  // edit changes the parameter, so one thread calls it, once
  for (auto* p : parameters_) values_.push_back(p->has_gradient() ? p->edit().data() : nullptr);
  detail::for_each_chunk(parameters_, threads, [&](std::size_t i, index, index begin, index end) {
    const parameter<T>& p = *parameters_[i];
    const double rate_of_role = p.role == parameter_role::mixing ? mixing_rate : rate;
    const double wd = p.role == parameter_role::weight ? options_.weight_decay : 0;
    update(*parameters_[i], values_[i], state_[i], T(rate_of_role * scale), T(rate_of_role * wd), adaptive, begin, end);
  });
}

template <class T>
void adamw<T>::zero_gradients() {
  for (auto* p : parameters_) {
    if (p->has_gradient()) p->gradient().setZero();
  }
}

template <class T>
void adamw<T>::update(parameter<T>& p, T* edited, moments& s, T step_size, T decay, bool adaptive, index begin, index end) const {
  const T b1 = T(options_.beta1);
  const T b2 = T(options_.beta2);
  const T eps = T(options_.epsilon);
  using numbers = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>>;
  const auto chunk = [&](T* all) { return numbers(all + begin, end - begin); };
  const numbers g = chunk(p.gradient().data());
  numbers value = chunk(edited), m = chunk(s.m.data()), v = chunk(s.v.data());
  m = b1 * m + (T(1) - b1) * g;
  v = b2 * v + (T(1) - b2) * g.square();
  if (adaptive) {
    value -= step_size * m / (v.sqrt() + eps);
  } else {
    value -= step_size * m;
  }
  value -= decay * value;
}

}  // namespace graft

#if defined(GRAFT_COMPILED)
template class graft::adamw<float>;
template class graft::adamw<double>;
#endif
