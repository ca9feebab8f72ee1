// From the second step on, training takes no memory.

#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "graft/model/freezing.hpp"
#include "graft/train/trainer_of.hpp"
#include "training/tiny_task.hpp"

// clang's OpenMP allocates in every region
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)

namespace {

std::atomic<bool> counting = false;
std::atomic<std::size_t> allocations = 0;

/// oneDNN has memory of its own in products: it is no affair of ours.
bool inside_onednn() {
  std::array<void*, 8> callers{};
  const int depth = backtrace(callers.data(), callers.size());
  return std::any_of(callers.begin(), callers.begin() + depth, [](const void* caller) {
    Dl_info library;
    return dladdr(caller, &library) != 0 && std::strstr(library.dli_fname, "libdnnl") != nullptr;
  });
}

void count() {
  if (counting && !inside_onednn()) ++allocations;
}

}  // namespace

// The C library lets a program put its own functions here. They count, and pass on; operator new and Eigen come this way too.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count();
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}
}

namespace {

using graft::bf16;
using graft::f32;
using graft::f64;

/// A layer as wide as the real ones, so that nothing fits on the stack that does not there. Not for f64, which is there to test with:
/// Eigen's products take memory for large blocks.
template <class P>
graft::encoder_config config() {
  auto c = graft_test::tiny_config();
  if constexpr (std::is_same_v<P, f64>) return c;
  c.num_hidden_layers = 1;
  c.hidden_size = 768;
  c.num_attention_heads = 12;
  c.intermediate_size = 3072;
  c.max_position_embeddings = 132;
  return c;
}

/// Allocations during each step of an epoch of five, whose batches have one shape.
template <class M>
std::vector<std::size_t> allocations_by_step(M model) {
  graft_test::draw_weights(model);
  auto data = graft_test::rows(10, 1);
  for (graft::features& row : data.rows) row.input_ids.resize(static_cast<std::size_t>(model.config.max_position_embeddings - 4), 7);
  graft::training_options o;
  o.train_batch_size = 2;
  o.num_train_epochs = 1;
  o.threads = 2;
  std::vector<std::size_t> counts;
  counts.reserve(5);
  graft::trainer_of training(model, graft_test::two_classes(), o, data, nullptr);
  (void)inside_onednn();  // the first backtrace takes memory itself
  counting = true;
  training.run({[&](const graft::step_report&) { counts.push_back(allocations.exchange(0)); }, {}, {}});
  counting = false;
  return counts;
}

void check_steps(const std::vector<std::size_t>& counts) {
  REQUIRE(counts.size() == 5);
  CHECK(counts[0] > 0);  // else nothing is counted
  for (std::size_t step = 1; step < counts.size(); ++step) CHECK(counts[step] == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("from the second step on, training with one adapter takes no memory", "", f32, bf16, f64) {
  auto model = graft::make_adapter_classifier<TestType>(config<TestType>(), 2, {16});
  graft::tune_adapters(model);
  check_steps(allocations_by_step(std::move(model)));
}

TEMPLATE_TEST_CASE("from the second step on, training a mix takes no memory", "", f32, bf16, f64) {
  using mode = graft::multi_adapter_ft_mode;
  const auto ft_mode = GENERATE(mode::base, mode::flex, mode::full_ft);
  INFO("mode " << static_cast<int>(ft_mode));
  graft::multi_adapter_options o;
  o.adapters = {{"a", {16}}, {"b", {12}}, {"c", {}, graft::tuning_kind::lora, {2, 4, {"query", "output.dense"}}}};
  o.adapters.push_back({"d", {}, graft::tuning_kind::ia3, {}, {{"key", "output.dense"}, {"output.dense"}}});
  o.adapters.push_back({"e", {}, graft::tuning_kind::prefix, {}, {}, {.length = 3, .bottleneck = 8, .gates = 1}});
  o.include_flex = ft_mode == mode::flex;
  auto model = graft::make_multi_adapter_classifier<TestType>(config<TestType>(), 2, o, 1);
  graft::tune_mix(model, ft_mode);
  check_steps(allocations_by_step(std::move(model)));
}

#endif
