#pragma once
// Hand-written gradients against differences in f64, and the rest of the contract in graft/core/layer.hpp.

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/core/parameter.hpp"
#include "support/random_values.hpp"

namespace graft_test {

/// Numbers that a scalar function reads, and what is claimed to be its derivative by each.
struct derivative {
  std::string name;
  double* values;
  const double* claimed;
  graft::index size;
};

/// CHECKs every claim (200 seeded ones of larger tensors) against the central difference of fourth order
///   (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12 h,
/// to 1e-7 of the tensor's largest derivative, or 1e-10 where that is more.
template <class F>
void check_derivatives(const std::vector<derivative>& all, F&& f) {
  constexpr double h = 2e-4;
  constexpr graft::index most = 200;
  const graft::random_stream choice(3, 2, 1);
  for (const auto& d : all) {
    double largest = 1e-3;
    for (graft::index i = 0; i < d.size; ++i) largest = std::max(largest, std::abs(d.claimed[i]));
    for (graft::index i = 0; i < std::min(d.size, most); ++i) {
      const graft::index at = d.size <= most ? i : choice.bits(static_cast<std::uint64_t>(i)) % d.size;
      double& x = d.values[at];
      const double before = x;
      const auto moved = [&](double step) {
        x = before + step;
        return f();
      };
      const double numeric = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
      x = before;
      INFO(d.name << " [" << at << "]: " << d.claimed[at] << " is claimed, " << numeric << " is so");
      CHECK(std::abs(numeric - d.claimed[at]) <= 1e-7 * largest);
    }
  }
}

template <class Part>
auto gradients_of(Part& part) {
  using values = graft::matrix<typename Part::real>;
  std::vector<values> all;
  part.for_each_parameter([&](auto& p) { all.push_back(p.has_gradient() ? values(p.gradient()) : values()); });
  return all;
}

/// CHECKs PART, a layer (one input) or a site (two), at INPUTS with the upstream gradient DY, whose shape is that of the output:
/// every gradient by differences of <dy, y>; saving changes no output; a second backward adds to parameters' gradients and overwrites the
/// inputs'; inputs' gradients that are not wanted change nothing; and once frozen, it does no work for its parameters.
template <class Part, std::size_t Inputs>
void check_gradients(Part& part, std::array<graft::matrix<double>, Inputs> inputs, const graft::matrix<double>& dy, graft::context& ctx) {
  using graft::const_view;
  using graft::matrix;
  using graft::view;
  const auto forward = [&](matrix<double>& y, typename Part::saved* s) {
    y.setConstant(dy.rows(), dy.cols(), 7);
    std::apply([&](const auto&... input) { part.forward(const_view<double>(input)..., y, s, ctx); }, inputs);
  };
  std::array<matrix<double>, Inputs> dinputs = inputs;
  const auto backward = [&](const typename Part::saved& s, bool wanted) {
    const auto call = [&](auto&... dinput) {
      std::tuple views{view<double>((dinput.setConstant(7), dinput))...};
      std::apply([&](auto&... d) { part.backward(dy, s, (wanted ? &d : nullptr)..., ctx); }, views);
    };
    std::apply(call, dinputs);
  };

  matrix<double> y, again;
  typename Part::saved saved;
  forward(y, &saved);
  forward(again, nullptr);
  CHECK(largest_difference(y, again) == 0);
  backward(saved, true);
  const auto first = gradients_of(part);
  const auto first_dinputs = dinputs;

  std::vector<derivative> claims;
  for (std::size_t i = 0; i < Inputs; ++i) {
    claims.push_back({"input " + std::to_string(i), inputs[i].data(), first_dinputs[i].data(), inputs[i].size()});
  }
  std::size_t n = 0;
  part.for_each_parameter([&](auto& p) {
    const auto& gradient = first[n++];
    INFO(p.name);
    CHECK((gradient.size() == p.size()) == p.is_trained());
    if (p.is_trained()) claims.push_back({p.name, p.edit().data(), gradient.data(), p.size()});
  });
  check_derivatives(claims, [&] {
    forward(again, nullptr);
    return again.cwiseProduct(dy).sum();
  });

  backward(saved, true);
  for (std::size_t i = 0; i < Inputs; ++i) CHECK(largest_difference(dinputs[i], first_dinputs[i]) == 0);
  n = 0;
  part.for_each_parameter([&](auto& p) {
    INFO(p.name);
    const auto& gradient = first[n++];
    if (!p.is_trained()) return;
    CHECK(largest_difference(p.gradient(), matrix<double>(2 * gradient)) <= 1e-12 * (1 + gradient.cwiseAbs().sum()));
    p.gradient().setZero();
  });
  backward(saved, false);
  n = 0;
  part.for_each_parameter([&](auto& p) {
    INFO(p.name << ", no input gradient");
    const auto& gradient = first[n++];
    if (p.is_trained()) CHECK(largest_difference(p.gradient(), gradient) == 0);
    p.freeze();
  });

  typename Part::saved frozen;
  ctx.counters = {};
  forward(again, &frozen);
  backward(frozen, true);
  CHECK(ctx.counters.weight_gradient_products == 0);
  for (std::size_t i = 0; i < Inputs; ++i) CHECK(largest_difference(dinputs[i], first_dinputs[i]) <= 1e-12);
  part.for_each_parameter([&](auto& p) { CHECK_FALSE(p.has_gradient()); });
}

}  // namespace graft_test
