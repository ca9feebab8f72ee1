#pragma once
// Counter-based random streams: every number is a pure function of (seed, step, stream, i), so results depend neither on
// threads nor on the order in which numbers are asked for.

#include <cmath>
#include <cstdint>
#include <numbers>

namespace graft {

namespace detail {

/// A 64-bit finalizer (splitmix64 by S. Vigna, public domain: the constants).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// A 32-bit finalizer with low bias ("lowbias32", C. Wellons, public domain: the constants); it vectorizes.
constexpr std::uint32_t mix32(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

}  // namespace detail

/// One stream of 32-bit numbers: `step` counts steps or epochs, `stream` tells apart the users of one step.
class random_stream {
 public:
  constexpr random_stream(std::uint64_t seed, std::uint64_t step, std::uint64_t stream)
      : key_(detail::mix64(detail::mix64(detail::mix64(seed) ^ step) ^ stream)) {}

  /// The numbers i with one upper half of i, by their lower half: 32-bit arithmetic alone, which vectorizes.
  struct block {
    std::uint32_t low_key;
    std::uint32_t high;
    constexpr std::uint32_t bits(std::uint32_t low) const { return detail::mix32(detail::mix32(low ^ low_key) + high); }
  };
  constexpr block block_of(std::uint64_t i) const {
    return {static_cast<std::uint32_t>(key_), static_cast<std::uint32_t>(i >> 32) * 0x9e3779b9u + static_cast<std::uint32_t>(key_ >> 32)};
  }

  /// The i-th number, uniform over 0 .. 2^32 - 1.
  constexpr std::uint32_t bits(std::uint64_t i) const { return block_of(i).bits(static_cast<std::uint32_t>(i)); }
  /// Uniform over (0, 1).
  double uniform(std::uint64_t i) const { return (bits(i) + 0.5) * 0x1p-32; }
  /// Standard normal, by Box and Muller.
  double normal(std::uint64_t i) const {
    return std::sqrt(-2 * std::log(uniform(2 * i))) * std::cos(2 * std::numbers::pi * uniform(2 * i + 1));
  }

 private:
  std::uint64_t key_;
};

/// 32 random bits: number I of the stream (SEED, STEP, STREAM).
inline std::uint32_t random_bits(std::uint64_t seed, std::uint64_t step, std::uint64_t stream, std::uint64_t i) {
  return random_stream(seed, step, stream).bits(i);
}

}  // namespace graft
