#pragma once
// Products of tiles. Code for several processors is compiled into every program, whatever it is compiled for; one is chosen at run time.

#include <string>

#include "graft/core/bfloat16.hpp"
#include "graft/core/cpu.hpp"
#include "graft/gemm/kernel_choice.hpp"
#include "graft/gemm/tiles.hpp"
#include "graft/gemm/upcoming.hpp"

namespace graft {

/// How bf16 products are computed on this machine, and why not better.
struct tile_choice {
  tile_path path;
  std::string refused;  // "": the best path that is granted works; else what came out wrong
};

/// Chosen once, with a self-test of the path: a wrong product makes it fall back to the next.
const tile_choice& chosen_tile_path();

namespace detail {

/// The most rows that a kernel is asked for at once: they pass a part of the right operand while that is in the first-level cache.
inline constexpr index most_rows = 8 * block_side;

/// A kernel computes c (most_rows, 32) = a b for the first HEIGHT x WIDTH of its numbers, of DEPTH tiles; what lies around them in C, up to
/// whole blocks of 32 rows, may be written, too.
template <class T, class Real>
using tile_kernel = void (*)(const T* a, const T* b, index depth, index height, index width, Real* c, const upcoming& next);

/// For f32 or f64.
template <class T>
kernel_list<tile_kernel<T, T>> real_kernels();
/// For bf16, whose path says which of those that a processor has is used.
kernel_list<tile_kernel<bfloat16, float>> bf16_kernels();

/// Whether PATH multiplies right: one product of small whole numbers, which every path must get exactly. FAULT is added to one number of
/// the result, for tests.
bool kernel_self_test(tile_path path, float fault = 0);

/// Holds the tile unit of this thread ready for PATH.
class tile_unit {
 public:
  explicit tile_unit(tile_path path);
  tile_unit(const tile_unit&) = delete;
  tile_unit& operator=(const tile_unit&) = delete;
  ~tile_unit();

 private:
  bool used_;
};

}  // namespace detail

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/gemm/tile_kernels-inl.hpp"  // IWYU pragma: export
#endif
