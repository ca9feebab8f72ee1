#pragma once
// Bodies of graft/core/cpu.hpp.

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "graft/core/compiled.hpp"
#include "graft/core/cpu.hpp"

namespace graft {

GRAFT_INLINE const char* tile_path_name(tile_path p) {
  return p == tile_path::amx ? "AMX tiles" : p == tile_path::avx512 ? "AVX-512 BF16" : p == tile_path::neon ? "NEON BF16" : "plain code";
}

}  // namespace graft

namespace graft::detail {

#if defined(__x86_64__)

GRAFT_INLINE bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  if ((d & amx_bf16) == 0 || (d & amx_tile) == 0) return false;
  constexpr long request_permission = 0x1023, tile_data = 18;
  return ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

GRAFT_INLINE bool has_amx_int8() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_amx() && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & (1u << 25)) != 0;
}

GRAFT_INLINE bool has_avx512() { return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0; }
GRAFT_INLINE bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16") != 0; }
GRAFT_INLINE bool has_avx512_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni") != 0; }
GRAFT_INLINE bool has_avx2_and_fma() { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }

GRAFT_INLINE bool has_avx_vnni() {  // the compilers' names for this are of different age
  static const bool has = [] {      // a virtual machine may take long to say so
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || a < 1) return false;  // a: the last part of leaf 7
    return has_avx2_and_fma() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4U & 1U) != 0;
  }();
  return has;
}

GRAFT_INLINE bool hides_tile_shapes() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & (1u << 24)) == 0) return false;
  return __get_cpuid_count(0x1D, 1, &a, &b, &c, &d) == 0 || a == 0;
}

#elif defined(__aarch64__) && defined(__linux__)

GRAFT_INLINE bool has_neon_dot_products() { return (::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
GRAFT_INLINE bool has_neon_bf16() { return (::getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0; }

#endif

GRAFT_INLINE std::atomic<tile_path>& highest_tile_path() {
  static std::atomic<tile_path> highest{tile_path::amx};
  return highest;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE void limit_tile_path(tile_path highest) { detail::highest_tile_path() = highest; }

GRAFT_INLINE tile_path granted_tile_path() {
  const tile_path highest = detail::highest_tile_path();
  if (highest >= tile_path::amx && detail::has_amx()) return tile_path::amx;
  if (highest >= tile_path::avx512 && detail::has_avx512_bf16()) return tile_path::avx512;
  return highest >= tile_path::neon && detail::has_neon_bf16() ? tile_path::neon : tile_path::portable;
}

}  // namespace graft
