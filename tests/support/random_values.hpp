#pragma once
// Seeded numbers for tests, and how far two matrices are apart.

#include <cstdint>

#include "graft/core/parameter.hpp"
#include "graft/core/random.hpp"
#include "graft/core/types.hpp"

namespace graft_test {

/// (ROWS, COLS) standard normal numbers that depend on SEED alone, in T.
template <class T = double>
graft::matrix<T> random_matrix(graft::index rows, graft::index cols, std::uint64_t seed) {
  const graft::random_stream stream(seed, 1, 2);
  graft::matrix<T> m(rows, cols);
  for (graft::index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<T>(stream.normal(static_cast<std::uint64_t>(i)));
  return m;
}

/// As if no backward pass had been.
template <class T>
void drop_gradient(graft::parameter<T>& p) {
  if (!p.has_gradient()) return;
  p.freeze();
  p.train();
}

/// Every parameter of PART ~ N(0, deviation^2), LayerNorm weights around 1; trainable as told.
template <class Part>
void randomize(Part& part, std::uint64_t seed, bool trainable = true, double deviation = 0.5) {
  part.for_each_parameter([&](auto& p) {
    using real = typename std::decay_t<decltype(p.value())>::Scalar;
    p.freeze();
    p.edit() = static_cast<real>(deviation) * random_matrix<real>(p.rows(), p.cols(), seed++);
    if (p.role == graft::parameter_role::layer_norm && p.name.ends_with(".weight")) p.edit().array() += real(1);
    if (trainable) p.train();
  });
}

/// Largest |a - b|; infinite when the shapes differ or anything is not a number.
template <class A, class B>
double largest_difference(const A& a, const B& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (graft::index r = 0; r < a.rows(); ++r) {
    for (graft::index c = 0; c < a.cols(); ++c) {
      const double difference = std::abs(static_cast<double>(a(r, c)) - static_cast<double>(b(r, c)));
      if (!(difference <= largest)) largest = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
    }
  }
  return largest;
}

}  // namespace graft_test
