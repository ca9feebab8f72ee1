#pragma once
// Bodies of graft/core/cpu.hpp.

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdlib>
#include <string>
#include <string_view>

#include "graft/core/compiled.hpp"
#include "graft/core/cpu.hpp"
#include "graft/core/error.hpp"

namespace graft {

GRAFT_INLINE const char* tile_path_name(tile_path p) {
  return p == tile_path::amx ? "AMX tiles" : p == tile_path::avx512 ? "AVX-512 BF16" : "plain code";
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

GRAFT_INLINE bool has_avx512_bf16() { return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bf16") != 0; }

GRAFT_INLINE bool hides_tile_shapes() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & (1u << 24)) == 0) return false;
  return __get_cpuid_count(0x1D, 1, &a, &b, &c, &d) == 0 || a == 0;
}

#endif

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE tile_path granted_tile_path() {
  const char* variable = std::getenv("GRAFT_TILES");
  const std::string_view highest = variable == nullptr ? "amx" : variable;
  if (highest != "amx" && highest != "avx512" && highest != "portable") {
    throw config_error("the environment variable GRAFT_TILES is \"" + std::string(highest) +
                       "\", the best path that it allows was expected: amx, avx512 or portable");
  }
  if (highest == "portable") return tile_path::portable;
  if (highest == "amx" && detail::has_amx()) return tile_path::amx;
  return detail::has_avx512_bf16() ? tile_path::avx512 : tile_path::portable;
}

}  // namespace graft
