#pragma once
// Where tokens stand, as angles by which queries and keys are turned.

#include <algorithm>
#include <cmath>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/core/types.hpp"

namespace graft {

/// Of a head of D numbers, those at i and i + D / 2 are turned by the angle a_i = p f_i, p being the token's position in its sequence:
///   x'_i = x_i cos a_i - x_(i+D/2) sin a_i,   x'_(i+D/2) = x_(i+D/2) cos a_i + x_i sin a_i,   f_i = theta^(-2 i / D)
/// so that the product of a query and a key depends on the distance between them. f_i and p f_i are rounded to f32 in every precision.
/// Source: Su et al. 2021, section 3.4; transformers' ModernBertRotaryEmbedding.   Tested: tests/layers/rotary_positions_test.cpp
template <class P>
class rotary_positions {
 public:
  using real = typename P::real;
  using operand = typename P::operand;

  /// For heads of HEAD_SIZE numbers, an even number, in sequences of LONGEST tokens as a rule.
  rotary_positions(index head_size, double theta, index longest) {
    for (index i = 0; i < head_size / 2; ++i) {
      const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_size);
      const auto power = static_cast<float>(std::pow(static_cast<double>(static_cast<float>(theta)), static_cast<double>(exponent)));
      frequencies_.push_back(1.0F / power);
    }
    constexpr index most = 8'192;
    table_.resize(std::min(longest, most), head_size / 2 * 2);
    for (index p = 0; p < table_.rows(); ++p) fill(p, table_.data() + p * table_.cols());
  }

  /// Rotates all HEADS of each row of M, (N, heads D), tokens of ctx.offsets' sequences; BACK: by the opposite angles, as gradients are.
  void rotate(view<operand> m, index heads, bool back, context& ctx) const;

 private:
  /// cos a_i, then sin a_i, at POSITION
  void fill(index position, real* to) const;

  std::vector<float> frequencies_;  // f
  matrix<real> table_;              // of the first positions
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/rotary_positions-inl.hpp"  // IWYU pragma: export
#endif
