// Units that threads take one by one.

#include "graft/core/workers.hpp"

#include <omp.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// Who worked on what: for every unit, the thread and how many threads its context had.
struct taken {
  int worker = -1, threads = 0, times = 0;
};

std::vector<taken> take_units(graft::context& ctx, graft::index count) {
  std::vector<taken> all(static_cast<std::size_t>(count));
  graft::for_each_unit(count, ctx, [&](graft::index i, graft::context& own) {
    taken& unit = all[static_cast<std::size_t>(i)];
    ++unit.times;
    unit.worker = own.worker_number;
    unit.threads = own.threads;
    ++own.counters.products;
  });
  return all;
}

}  // namespace

TEST_CASE("every unit is taken once, by one thread, too few of them are shared by all threads") {
  graft::context ctx;
  ctx.threads = 3;
  for (const taken& unit : take_units(ctx, 50)) {
    CHECK(unit.times == 1);
    CHECK(unit.threads == 1);
  }
  CHECK(ctx.counters.products == 50);
  for (const taken& unit : take_units(ctx, 2)) CHECK(unit.threads == 3);
  CHECK(ctx.counters.products == 52);
  CHECK(take_units(ctx, 0).empty());
}

TEST_CASE("every unit is taken where the caller is one of a team, whose threads get no teams of their own") {
  std::vector<int> untaken(2, -1);
#pragma omp parallel num_threads(2)
  {
    graft::context ctx;
    ctx.threads = 4;
    int missing = 0;
    for (const taken& unit : take_units(ctx, 9)) missing += unit.times == 1 ? 0 : 1;
    untaken[static_cast<std::size_t>(omp_get_thread_num())] = missing;
  }
  CHECK(std::count(untaken.begin(), untaken.end(), 0) >= 1);
  CHECK(*std::max_element(untaken.begin(), untaken.end()) <= 0);
}

TEST_CASE("workers see what their context is set to") {
  graft::context ctx;
  ctx.threads = 2;
  ctx.seed = 5;
  for (const std::uint64_t number : {7U, 8U}) {
    const graft::training_step step(ctx, number);
    graft::for_each_unit(4, ctx, [&](graft::index, graft::context& own) {
      const bool same = own.stream(3).bits(1) == graft::random_stream(5, number, 3).bits(1);
      if (!own.training() || !same) throw std::logic_error("another context");
    });
  }
  CHECK_FALSE(ctx.training());
}

TEST_CASE("the failure of the first unit that fails is told, and nothing begins after it") {
  graft::context ctx;
  ctx.threads = 2;
  std::atomic<int> begun{0};
  const auto fail = [&] {
    graft::for_each_unit(1000, ctx, [&](graft::index i, graft::context&) {
      ++begun;
      if (i >= 3) throw std::runtime_error("unit " + std::to_string(i));
    });
  };
  CHECK_THROWS_WITH(fail(), "unit 3");
  CHECK(begun <= 5);
}
