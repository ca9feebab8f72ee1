// Which way of computing bf16 products is granted, and how a program lowers it.

#include "graft/core/cpu.hpp"

#include <catch2/catch.hpp>
#include <string>

using graft::tile_path;

TEST_CASE("a program limits the path") {
  const tile_path before = graft::detail::highest_tile_path(),
                  neon = graft::detail::has_neon_bf16() ? tile_path::neon : tile_path::portable,
                  without_tiles = graft::detail::has_avx512_bf16() ? tile_path::avx512 : neon;
  graft::limit_tile_path(tile_path::portable);
  CHECK(graft::granted_tile_path() == tile_path::portable);
  graft::limit_tile_path(tile_path::neon);
  CHECK(graft::granted_tile_path() == neon);
  graft::limit_tile_path(tile_path::avx512);
  CHECK(graft::granted_tile_path() == without_tiles);
  graft::limit_tile_path(tile_path::amx);
  CHECK(graft::granted_tile_path() == (graft::detail::has_amx() ? tile_path::amx : without_tiles));
  graft::limit_tile_path(before);
}

TEST_CASE("every path has a name") {
  CHECK(std::string(graft::tile_path_name(tile_path::amx)) == "AMX tiles");
  CHECK(std::string(graft::tile_path_name(tile_path::avx512)) == "AVX-512 BF16");
  CHECK(std::string(graft::tile_path_name(tile_path::neon)) == "NEON BF16");
  CHECK(std::string(graft::tile_path_name(tile_path::portable)) == "plain code");
}
