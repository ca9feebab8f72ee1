#pragma once
// Bodies of graft/layers/rotary_positions.hpp.

#include <omp.h>

#include <numeric>

#include "graft/core/bfloat16.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/precision.hpp"
#include "graft/layers/rotary_positions.hpp"

namespace graft {

template <class P>
void rotary_positions<P>::rotate(view<operand> m, index heads, bool back, context& ctx) const {
  scratch::mark mark(ctx.memory);
  const index half = std::ssize(frequencies_);
  const auto positions = ctx.memory.take_array<index>(static_cast<std::size_t>(m.rows()));
  for (index b = 0; b < ctx.sequences(); ++b) std::iota(&positions[0] + ctx.first_row(b), &positions[0] + ctx.first_row(b + 1), index{0});
  const view<real> computed = ctx.memory.take_rows<real>(ctx.threads, 2 * half);
  parallel_for(m.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      const index position = positions[static_cast<std::size_t>(r)];
      const real* cosines = table_.data() + position * table_.cols();
      if (position >= table_.rows()) {
        fill(position, computed.row_data(omp_get_thread_num()));
        cosines = computed.row_data(omp_get_thread_num());
      }
      const real *sines = cosines + half, sign = back ? real(-1) : real(1);
      for (index h = 0; h < heads; ++h) {
        operand *first = m.row_data(r) + h * 2 * half, *second = first + half;
        for (index i = 0; i < half; ++i) {
          const real a = number(first[i]), b = number(second[i]), s = sign * sines[i];
          first[i] = static_cast<operand>(a * cosines[i] - b * s);
          second[i] = static_cast<operand>(b * cosines[i] + a * s);
        }
      }
    }
  });
}

template <class P>
void rotary_positions<P>::fill(index position, real* to) const {
  const std::size_t half = frequencies_.size();
  for (std::size_t i = 0; i < half; ++i) {
    const auto angle = static_cast<double>(static_cast<float>(position) * frequencies_[i]);
    to[i] = static_cast<real>(std::cos(angle));
    to[half + i] = static_cast<real>(std::sin(angle));
  }
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class rotary_positions<GRAFT_PRECISION>;
#endif

}  // namespace graft
