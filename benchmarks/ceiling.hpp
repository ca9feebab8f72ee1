#pragma once
// What this machine can do at most, measured beside every benchmark, and the counters that compare with it.

#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace graft_benchmark {

/// Fused multiply-adds a second times two, in f32 registers alone, on all threads: no program that loads anything gets there.
inline double f32_ceiling() {
  static const double best = [] {
    using lanes = float __attribute__((vector_size(64)));
    constexpr int chains = 16, rounds = 1 << 18;
    double rate = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
      float sink = 0;
      const auto begin = std::chrono::steady_clock::now();
#pragma omp parallel reduction(+ : sink)
      {
        lanes sums[chains];
        for (int c = 0; c < chains; ++c) sums[c] = lanes{} + static_cast<float>(c + omp_get_thread_num());  // or they would be one
        lanes factor = lanes{} + 0.999F;
        const lanes addend = lanes{} + 1e-3F;
        for (int r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
          for (int c = 0; c < chains; ++c) sums[c] = sums[c] * factor + addend;
        }
        for (const auto& sum : sums) sink += sum[0];
      }
      benchmark::DoNotOptimize(sink);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      rate = std::max(rate, 2.0 * 16 * chains * rounds * omp_get_max_threads() / seconds.count());
    }
    return rate;
  }();
  return best;
}

/// From its making on: the time that a benchmark's loop takes. The ceiling is measured before.
class stopwatch {
 public:
  stopwatch() {
    f32_ceiling();
    begin_ = std::chrono::steady_clock::now();
  }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_;
};

/// GFLOP/s of FLOPS operations an iteration, and their share of the ceiling in percent.
inline void count_operations(benchmark::State& state, double flops, double seconds) {
  const double rate = flops * static_cast<double>(state.iterations()) / seconds;
  state.counters["GFLOP/s"] = rate / 1e9;
  state.counters["%ceiling"] = 100 * rate / f32_ceiling();
}

/// TOKENS rows an iteration.
inline void count_tokens(benchmark::State& state, std::int64_t tokens, double seconds) {
  state.counters["tokens/s"] = static_cast<double>(tokens * state.iterations()) / seconds;
}

}  // namespace graft_benchmark
