#include "graft/core/scratch.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

TEST_CASE("matrices from the arena are aligned and lie apart") {
  graft::scratch arena;
  const graft::scratch::mark mark(arena);
  auto a = arena.take<float>(3, 5);
  auto b = arena.take<double>(2, 2);
  auto none = arena.take<double>(0, 4);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % 64 == 0);
  CHECK(none.size() == 0);
  a.setConstant(1);
  b.setConstant(2);
  CHECK(a.sum() == 15);
  CHECK(b.sum() == 8);
}

TEST_CASE("a mark gives back what was taken since, and nothing more") {
  graft::scratch arena;
  const graft::scratch::mark outer(arena);
  auto kept = arena.take<int>(4, 4);
  kept.setConstant(5);
  const int* inner = nullptr;
  {
    const graft::scratch::mark mark(arena);
    auto m = arena.take<int>(8, 8);
    m.setConstant(6);
    inner = m.data();
  }
  auto next = arena.take<int>(8, 8);
  CHECK(next.data() == inner);
  CHECK((kept.array() == 5).all());
}

TEST_CASE("what is handed out stays valid when the arena grows, and a second round allocates nothing") {
  graft::scratch arena;
  CHECK(arena.bytes() == 0);
  std::size_t after_first = 0;
  for (int round = 0; round < 2; ++round) {
    const graft::scratch::mark mark(arena);
    auto small = arena.take<double>(2, 2);
    small.setConstant(3);
    auto large = arena.take<double>(3000, 1000);  // larger than a block
    large.setConstant(4);
    auto more = arena.take<double>(1000, 1000);
    more.setConstant(5);
    CHECK((small.array() == 3).all());
    CHECK((large.array() == 4).all());
    if (round == 0) after_first = arena.bytes();
  }
  CHECK(arena.bytes() == after_first);
  CHECK(after_first >= (4 + 3000000 + 1000000) * sizeof(double));
}
