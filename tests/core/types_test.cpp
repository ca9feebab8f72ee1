#include "graft/core/types.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <utility>

#include "graft/core/scratch.hpp"

TEST_CASE("a window is a part of the same memory") {
  graft::matrix<int> m(3, 4);
  m << 0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23;
  graft::view<int> all(m);
  auto part = all.window(1, 1, 2, 2);
  CHECK(part(0, 0) == 11);
  CHECK(part(1, 1) == 22);
  CHECK(part.stride() == 4);
  CHECK(part.row_data(1) == m.data() + 9);
  part.setZero();
  CHECK(m(2, 2) == 0);
  CHECK(m(2, 3) == 23);
  const graft::const_view<int> fixed(part);
  CHECK(fixed.window(0, 1, 2, 1).stride() == 4);
  all.window(0, 0, 2, 2) = all.window(0, 2, 2, 2);  // copies numbers, does not rebind
  CHECK(m(0, 0) == 2);
  CHECK(m(1, 1) == 13);
}

TEST_CASE("a buffer only grows") {
  graft::buffer<float> b;
  CHECK(b.empty());
  CHECK(b.bytes() == 0);
  auto v = b.resize(4, 6);
  v.setConstant(1);
  CHECK(reinterpret_cast<std::uintptr_t>(v.data()) % 64 == 0);
  CHECK(b.bytes() == 24 * sizeof(float));
  const float* before = v.data();
  CHECK(b.resize(2, 3).data() == before);
  CHECK(b.rows() == 2);
  CHECK(b.resize(6, 4).data() == before);
  CHECK(b.bytes() == 24 * sizeof(float));
  b.clear();
  CHECK(b.empty());
  CHECK(b.bytes() == 24 * sizeof(float));
  b.resize(5, 5);
  CHECK(b.bytes() == 25 * sizeof(float));
  graft::matrix<float> m(1, 2);
  m << 3, 4;
  b.assign(m);
  CHECK(b.get()(0, 1) == 4);
  CHECK(b.cols() == 2);
}

TEST_CASE("shapes are written as in errors") {
  CHECK(graft::shape_text({96, 768}) == "(96, 768)");
  CHECK(graft::shape_text({7}) == "(7)");
  CHECK(graft::shape_text({}) == "()");
}

TEST_CASE("a zeroed matrix begins as zeros on a cache line, is copied with its numbers and moved with its memory") {
  for (const graft::index cols : {3, 300000}) {  // from the heap, and from the operating system
    graft::zeroed_matrix<float> a(2, cols);
    CHECK(a.get().isZero(0));
    CHECK(reinterpret_cast<std::uintptr_t>(a.get().data()) % 64 == 0);
    a.get()(1, cols - 1) = 6;
    graft::zeroed_matrix<float> copy(a), assigned(1, 1);
    const float* memory = a.get().data();
    a.get()(0, 0) = 7;
    CHECK(copy.get()(0, 0) == 0);
    CHECK(copy.get()(1, cols - 1) == 6);
    assigned = copy;
    CHECK(assigned.get() == copy.get());
    const graft::zeroed_matrix<float> moved(std::move(a));
    CHECK(moved.get().data() == memory);
    CHECK(moved.get()(0, 0) == 7);
  }
}

TEST_CASE("a size whose bytes wrap around is refused, in every kind of memory") {
  constexpr graft::index huge = graft::index{1} << 62;
  CHECK(graft::matrix_bytes(3, 5, 8) == 120);
  CHECK(graft::matrix_bytes(huge, 0, 8) == 0);
  for (const auto& [rows, cols] : {std::pair{huge, graft::index{4}},
                                   {huge, graft::index{1}},
                                   {graft::index{1} << 32, graft::index{1} << 32},
                                   {graft::index{-1}, graft::index{1}},
                                   {graft::index{2}, graft::index{-2}}}) {
    graft::buffer<double> b;
    CHECK_THROWS_AS(graft::matrix_bytes(rows, cols, 8), graft::shape_error);
    CHECK_THROWS_AS(graft::zeroed_matrix<double>(rows, cols), graft::shape_error);
    CHECK_THROWS_AS(b.resize(rows, cols), graft::shape_error);
    CHECK(b.empty());
    graft::scratch arena;
    CHECK_THROWS_AS(arena.take<double>(rows, cols), graft::shape_error);
    CHECK(arena.bytes() == 0);
  }
  CHECK_THROWS_WITH(graft::matrix_bytes(huge, 4, 4), "a matrix of shape (4611686018427387904, 4) is larger than any memory");
  graft::scratch arena;
  CHECK_THROWS_AS(arena.take_array<double>(std::size_t{1} << 61), graft::shape_error);
}
