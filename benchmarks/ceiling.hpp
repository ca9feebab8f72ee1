#pragma once
// What this machine can do at most, measured beside every benchmark, and the counters that compare with it.

#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <type_traits>

#include "graft/gemm/product.hpp"

namespace graft_benchmark {

/// Fused multiply-adds a second times two, in f32 registers alone, on all threads: no program that loads anything gets there.
inline double f32_ceiling() {
  static const double best = [] {
#if defined(__AVX512F__)
    using lanes = float __attribute__((vector_size(64)));
#else
    using lanes = float __attribute__((vector_size(32)));  // wider ones would be computed number by number
#endif
    constexpr int chains = sizeof(lanes) == 64 ? 16 : 12, rounds = 1 << 18;
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
      rate = std::max(rate, 2.0 * (sizeof(lanes) / sizeof(float)) * chains * rounds * omp_get_max_threads() / seconds.count());
    }
    return rate;
  }();
  return best;
}

/// The same for bf16 products on PATH: tile products, or what else PATH has, without loads. Plain code has no ceiling of its own.
#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bf16"))) inline float avx512_chains(int rounds) {
  __m512 sums[16];
  for (int c = 0; c < 16; ++c) sums[c] = _mm512_set1_ps(static_cast<float>(c));
  const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3c003c00));
  for (int r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < 16; ++c) sums[c] = _mm512_dpbf16_ps(sums[c], factor, factor);
  }
  float total = 0;
  for (const auto& sum : sums) total += _mm512_cvtss_f32(sum);
  return total;
}
__attribute__((target("amx-tile,amx-bf16"))) inline float amx_chains(int rounds) {
  const graft::detail::tile_unit unit(graft::tile_path::amx);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (int r = 0; r < rounds; ++r) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  return 0;
}
#elif defined(__aarch64__) && defined(__linux__)
#if defined(__clang__)
__attribute__((target("bf16")))
#else
__attribute__((target("+bf16")))
#endif
inline float
neon_chains(int rounds) {
  using lanes = float __attribute__((vector_size(16)));
  lanes sums[16], factor = lanes{} + 0.0078F;
  for (int c = 0; c < 16; ++c) sums[c] = lanes{} + static_cast<float>(c);
  for (int r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < 16; ++c) asm("bfdot %0.4s, %1.8h, %1.8h" : "+w"(sums[c]) : "w"(factor));
  }
  float total = 0;
  for (const auto& sum : sums) total += sum[0];
  return total;
}
#endif
inline double bf16_ceiling(graft::tile_path path) {
  float (*chains)(int rounds) = nullptr;
  double operations = 0;  // in a round
#if defined(__x86_64__)
  if (path == graft::tile_path::amx) chains = amx_chains, operations = 4 * 2.0 * 16 * 16 * 32;
  if (path == graft::tile_path::avx512) chains = avx512_chains, operations = 16 * 2.0 * 32;
#elif defined(__aarch64__) && defined(__linux__)
  if (path == graft::tile_path::neon) chains = neon_chains, operations = 16 * 2.0 * 8;
#endif
  if (chains == nullptr) return f32_ceiling();
  static const double best = [&] {
    const int rounds = 1 << 18;
    double rate = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
      float sink = 0;
      const auto begin = std::chrono::steady_clock::now();
#pragma omp parallel reduction(+ : sink)
      sink += chains(rounds);
      benchmark::DoNotOptimize(sink);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      rate = std::max(rate, operations * rounds * omp_get_max_threads() / seconds.count());
    }
    return rate;
  }();
  return best;
}

/// The ceiling of products in P.
template <class P>
double ceiling() {
  if constexpr (std::is_same_v<P, graft::bf16>) return bf16_ceiling(graft::chosen_tile_path().path);
  return f32_ceiling();
}

/// From its making on: the time that a benchmark's loop takes. The ceiling is measured before.
class stopwatch {
 public:
  stopwatch() {
    f32_ceiling();
    bf16_ceiling(graft::chosen_tile_path().path);
    begin_ = std::chrono::steady_clock::now();
  }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_;
};

/// GFLOP/s of FLOPS operations an iteration, and their share of the ceiling in percent.
template <class P = graft::f32>
void count_operations(benchmark::State& state, double flops, double seconds) {
  const double rate = flops * static_cast<double>(state.iterations()) / seconds;
  state.counters["GFLOP/s"] = rate / 1e9;
  state.counters["%ceiling"] = 100 * rate / ceiling<P>();
}

/// TOKENS rows an iteration.
inline void count_tokens(benchmark::State& state, std::int64_t tokens, double seconds) {
  state.counters["tokens/s"] = static_cast<double>(tokens * state.iterations()) / seconds;
}

}  // namespace graft_benchmark
