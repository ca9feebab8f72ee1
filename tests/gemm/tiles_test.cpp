#include "graft/gemm/tiles.hpp"

#include <catch2/catch.hpp>

TEST_CASE("a tile is transposed in one way, whatever registers it goes through") {
  std::uint32_t from[256], in_blocks[256], chosen[256];
  for (std::uint32_t i = 0; i < 256; ++i) from[i] = 2654435761U * i;
  graft::detail::transpose_blocks(from, in_blocks);
  graft::detail::transpose_units(from, chosen);
  for (std::size_t r = 0; r < 16; ++r) {
    for (std::size_t c = 0; c < 16; ++c) {
      CHECK(in_blocks[16 * r + c] == from[16 * c + r]);
      CHECK(chosen[16 * r + c] == from[16 * c + r]);
    }
  }
}
