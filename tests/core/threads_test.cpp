// How many threads compute, on any number of processors.

#include "graft/core/threads.hpp"

#include <omp.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

#include "graft/core/error.hpp"
#include "support/any_threads.hpp"

TEST_CASE("no more threads compute than there are processors, or than a program says") {
  const int before = omp_get_max_threads(), processors = omp_get_num_procs();
  graft::limit_threads(0);
  CHECK(graft::usable_threads(processors + 5) == processors);
  CHECK(graft::usable_threads(1) == 1);
  omp_set_num_threads(processors + 3);
  CHECK(graft::usable_threads() == processors);
  graft::limit_threads(processors + 2);
  CHECK(graft::usable_threads() == processors + 2);
  CHECK(graft::usable_threads(processors + 1) == processors + 1);
  omp_set_num_threads(before);
  graft::limit_threads(graft_test::any_threads);
}

TEST_CASE("what is computed in the background waits for who asks where one thread is to compute alone") {
  const auto here = std::this_thread::get_id();
  graft::limit_threads(1);
  CHECK(graft::in_background([] { return std::this_thread::get_id(); }).get() == here);
  graft::limit_threads(2);
  const int before = omp_get_max_threads();
  omp_set_num_threads(2);
  CHECK(graft::in_background([] { return std::this_thread::get_id(); }).get() != here);
  CHECK_THROWS_WITH(graft::in_background([]() -> int { throw graft::error("no"); }).get(), "no");
  omp_set_num_threads(before);
  graft::limit_threads(graft_test::any_threads);
}
