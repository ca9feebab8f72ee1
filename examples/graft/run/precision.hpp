#pragma once
// Which number type the program computes in, and why.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "graft/core/error.hpp"
#include "graft/gemm/int8_kernels.hpp"
#include "graft/gemm/product.hpp"
#include "graft/model/choose_precision.hpp"

namespace graft::program {

/// auto: bf16 where the processor has instructions for it, else f32.
struct chosen_precision {
  std::string name;    // f32, bf16, f64 or int8
  std::string reason;  // for people
};

/// What the environment variable GRAFT_TILES allows, the best kernels where it is not set.
/// @throws config_error  it has a value of no meaning
inline tile_path allowed_tile_path() {
  const char* variable = std::getenv("GRAFT_TILES");
  const std::string highest = variable == nullptr ? "amx" : variable;
  if (highest == "amx") return tile_path::amx;
  if (highest == "avx512") return tile_path::avx512;
  if (highest == "neon") return tile_path::neon;
  if (highest == "portable") return tile_path::portable;
  throw config_error("the environment variable GRAFT_TILES is \"" + highest +
                     "\", the best path that it allows was expected: amx, avx512, neon or portable");
}

/// Says on standard error when the processor's bf16 instructions failed their self-test.
/// @throws config_error  as allowed_tile_path
inline chosen_precision choose_precision(const std::string& wanted) {
  limit_tile_path(allowed_tile_path());
  const tile_choice& tiles = chosen_tile_path();
  const std::string path = graft::detail::first_that_runs(graft::detail::bf16_kernels(), tiles.path).name;
  if (!tiles.refused.empty()) {
    std::fprintf(stderr, "graft: %s gave a wrong product in the self-test and is not used: bf16 runs on %s\n", tiles.refused.c_str(),
                 path.c_str());
  }
  if (wanted == "bf16") return {"bf16", "bf16 on " + path};
  if (wanted == "int8")
    return {"int8", std::string("int8 by ") + graft::detail::first_that_runs(graft::detail::int8_kernels(), tiles.path).name +
                        ", the rest " + (tiles.path == tile_path::portable ? "f32" : "bf16 on " + path)};
  if (wanted != "auto") return {wanted, wanted};
  if (tiles.path != tile_path::portable) return {"bf16", "bf16 on " + path + " (auto)"};
  return {"f32", "f32 (auto: no instructions for bf16 here; --precision bf16 would run on " + path + ")"};
}

/// NAME, a chosen one, as a run records what decides its numbers: of 8 bits what is around their products, too.
inline std::string recorded_precision(const std::string& name) {
  return name == "int8" ? "int8+" + precision_name(effective_precision(precision::int8)) : name;
}

}  // namespace graft::program
