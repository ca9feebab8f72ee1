#pragma once
// Bodies of graft/layers/rotary_positions.hpp.

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "graft/core/bfloat16.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/parallel.hpp"
#include "graft/layers/rotary_positions.hpp"

namespace graft {

template <class P>
rotary_positions<P>::rotary_positions(index head_size, double theta, index longest) {
  for (index i = 0; i < head_size / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_size);
    const auto power = static_cast<float>(std::pow(static_cast<double>(static_cast<float>(theta)), static_cast<double>(exponent)));
    frequencies_.push_back(1.0F / power);
  }
  constexpr index most = 8'192;
  table_.resize(std::min(longest, most), head_size / 2 * 2);
  for (index p = 0; p < table_.rows(); ++p) fill(p, table_.data() + p * table_.cols());
}

template <class P>
void rotary_positions<P>::fill(index place, real* to) const {
  const std::size_t half = frequencies_.size();
  for (std::size_t i = 0; i < half; ++i) {
    const auto angle = static_cast<double>(static_cast<float>(place) * frequencies_[i]);
    to[i] = static_cast<real>(std::cos(angle));
    to[half + i] = static_cast<real>(std::sin(angle));
  }
}

template <class P>
void rotary_positions<P>::turn(view<operand> m, index heads, bool back, context& ctx) const {
  scratch::mark mark(ctx.memory);
  const index half = std::ssize(frequencies_);
  const auto places = ctx.memory.take_array<index>(static_cast<std::size_t>(m.rows()));
  for (std::size_t b = 0; b + 1 < ctx.offsets.size(); ++b) {
    for (index r = ctx.offsets[b]; r < ctx.offsets[b + 1]; ++r) places[static_cast<std::size_t>(r)] = r - ctx.offsets[b];
  }
  const view<real> own = ctx.memory.take_rows<real>(ctx.threads, 2 * half);
  parallel_for(m.rows(), 16, ctx.threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      const index place = places[static_cast<std::size_t>(r)];
      const real* cosines = table_.data() + place * table_.cols();
      if (place >= table_.rows()) {
        fill(place, own.row_data(omp_get_thread_num()));
        cosines = own.row_data(omp_get_thread_num());
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

}  // namespace graft
