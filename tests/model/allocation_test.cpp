// From the second step of the same shape on, forward and backward allocate nothing: every allocation of this program is counted.

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "graft/core/context.hpp"
#include "model/tiny_model.hpp"
#include "support/random_values.hpp"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)  // whose OpenMP allocates in every region

namespace {
std::atomic<std::size_t> allocations{0};
}

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
}

TEST_CASE("the counter of allocations counts") {
  const std::size_t before = allocations;
  graft::buffer<double> b;
  b.resize(3, 3);
  CHECK(allocations == before + 1);
  const graft::matrix<double> m = graft::matrix<double>::Zero(3, 3);
  CHECK(m.size() == 9);
  CHECK(allocations >= before + 2);
}

TEST_CASE("from the second step on nothing is allocated") {
  const auto config = graft_test::tiny_config(0.1);
  const auto batch = graft_test::tiny_batch({4, 1, 6});
  std::vector<std::pair<std::string, std::unique_ptr<graft_test::tiny_model>>> models;
  models.emplace_back("plain", graft_test::make_tiny_plain(config, true));
  models.emplace_back("head", graft_test::make_tiny_plain(config, false));
  models.emplace_back("single", graft_test::make_tiny_single(config));
  models.emplace_back("invertible", graft_test::make_tiny_single(config, 3, "general", true, R"({"inv_adapter": "nice"})"));
  models.emplace_back("multi", graft_test::make_tiny_multi(config, graft_test::tiny_mix(true, true), graft::multi_adapter_ft_mode::base));
  models.emplace_back("prefix", graft_test::make_tiny_prefix(config, {.length = 3, .bottleneck = 4, .gates = 2}));
  auto fusion = graft_test::tiny_mix(false, false, graft::mixing_mode::fusion);
  models.emplace_back("fusion", graft_test::make_tiny_multi(config, fusion, graft::multi_adapter_ft_mode::base));
  for (auto& [name, model] : models) {
    graft::context ctx;
    const graft::training_step training(ctx, 0);
    ctx.threads = 1;
    model->learn(batch, ctx);
    model->learn(graft_test::tiny_batch({5, 5, 5}), ctx);  // a larger shape in between
    const std::size_t before = allocations;
    model->learn(batch, ctx);
    const std::size_t counted = allocations - before;
    INFO(name);
    CHECK(counted == 0);
  }
}

#endif
