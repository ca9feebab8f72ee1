#pragma once
// What this processor can run: how bf16 products are computed is chosen here, at run time.

#include <atomic>
#include <cstdint>

namespace graft {

/// How bf16 products are computed, the better the higher.
enum class tile_path : std::uint8_t { portable, neon, avx512, amx };

/// "plain code", "NEON BF16", "AVX-512 BF16" or "AMX tiles"
const char* tile_path_name(tile_path p);

namespace detail {

#if defined(__x86_64__) && defined(__linux__)
/// The feature bits alone. The shapes of CPUID leaf 0x1D are not asked: some virtual machines leave that leaf empty although the tiles,
/// whose palette 1 is fixed by the architecture, work.
bool has_amx();
/// Whether tiles of 8-bit numbers are multiplied, too.
bool has_amx_int8();
bool has_avx512_bf16();
bool has_avx512();
bool has_avx512_vnni();
bool has_avx2_and_fma();
bool has_avx_vnni();
/// Whether CPUID hides the shapes of tiles that its feature bits promise: libraries that ask for them then run into illegal instructions.
bool hides_tile_shapes();
#else
inline bool has_amx() { return false; }
inline bool has_amx_int8() { return false; }
inline bool has_avx512_bf16() { return false; }
inline bool has_avx512() { return false; }
inline bool has_avx512_vnni() { return false; }
inline bool has_avx2_and_fma() { return false; }
inline bool has_avx_vnni() { return false; }
inline bool hides_tile_shapes() { return false; }
#endif
#if defined(__aarch64__) && defined(__linux__)
bool has_neon_bf16();
bool has_neon_dot_products();
#else
inline bool has_neon_bf16() { return false; }
inline bool has_neon_dot_products() { return false; }
#endif

std::atomic<tile_path>& highest_tile_path();

}  // namespace detail

/// bf16 products use HIGHEST at best, amx unless this is called; before the first product, which fixes what all of them use.
void limit_tile_path(tile_path highest);
/// The best path that the processor and the operating system grant, and limit_tile_path allows.
tile_path granted_tile_path();

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/cpu-inl.hpp"  // IWYU pragma: export
#endif
