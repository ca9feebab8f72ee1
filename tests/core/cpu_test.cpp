// Which way of computing bf16 products is granted, and how the environment lowers it.

#include "graft/core/cpu.hpp"

#include <catch2/catch.hpp>
#include <optional>

using graft::tile_path;

namespace {

/// GRAFT_TILES for as long as it lives.
class environment {
 public:
  explicit environment(const char* value) {
    if (const char* before = std::getenv("GRAFT_TILES")) before_ = before;
    ::setenv("GRAFT_TILES", value, 1);
  }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;
  ~environment() {
    if (before_) {
      ::setenv("GRAFT_TILES", before_->c_str(), 1);
    } else {
      ::unsetenv("GRAFT_TILES");
    }
  }

 private:
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("GRAFT_TILES lowers the path, and is refused when it means nothing") {
  const tile_path without_tiles = graft::detail::has_avx512_bf16() ? tile_path::avx512 : tile_path::portable;
  {
    const environment e("portable");
    CHECK(graft::granted_tile_path() == tile_path::portable);
  }
  {
    const environment e("avx512");
    CHECK(graft::granted_tile_path() == without_tiles);
  }
  {
    const environment e("amx");
    CHECK(graft::granted_tile_path() == (graft::detail::has_amx() ? tile_path::amx : without_tiles));
  }
  const environment e("off");
  CHECK_THROWS_WITH(graft::granted_tile_path(),
                    "the environment variable GRAFT_TILES is \"off\", the best path that it allows was expected: amx, avx512 or portable");
}

TEST_CASE("every path has a name") {
  CHECK(std::string(graft::tile_path_name(tile_path::amx)) == "AMX tiles");
  CHECK(std::string(graft::tile_path_name(tile_path::avx512)) == "AVX-512 BF16");
  CHECK(std::string(graft::tile_path_name(tile_path::portable)) == "plain code");
}
