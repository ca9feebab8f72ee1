#pragma once
// Every way of computing bf16 products that can be tried here.

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "graft/core/cpu.hpp"
#include "support/tile_emulator.hpp"

namespace graft_test {

/// GRAFT_TILES takes the better paths away in tests, too.
inline const bool paths_limited = [] {
  const char* highest = std::getenv("GRAFT_TILES");
  if (highest == nullptr) return false;
  graft::limit_tile_path(std::string(highest) == "portable" ? graft::tile_path::portable : graft::tile_path::avx512);
  return true;
}();

/// The paths that this processor runs, and AMX everywhere: where tiles are refused, their machine code is emulated while this lives.
class tile_paths {
 public:
  tile_paths() {
    if (graft::detail::has_neon_bf16()) all_.push_back(graft::tile_path::neon);
    if (graft::detail::has_avx512_bf16()) all_.push_back(graft::tile_path::avx512);
#if defined(__x86_64__) && defined(__linux__)
    if (tile_emulator::needed()) emulator_ = std::make_unique<tile_emulator>();
    all_.push_back(graft::tile_path::amx);
#endif
  }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }

 private:
  std::vector<graft::tile_path> all_{graft::tile_path::portable};
#if defined(__x86_64__) && defined(__linux__)
  std::unique_ptr<tile_emulator> emulator_;
#endif
};

}  // namespace graft_test
