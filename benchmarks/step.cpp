// Whole steps of a roberta-base shape with random weights: forward, loss, backward, clipping, AdamW; and evaluation alone.

#include "ceiling.hpp"
#include "graft/model/model.hpp"
#include "models.hpp"

namespace {

using graft::bf16;
using graft::f32;
using graft::index;

template <class P, class M>
void steps(benchmark::State& state, M& model) {
  const graft::batch b = graft_benchmark::sequences(state.range(0), state.range(1));
  graft_benchmark::training<M> training(model);
  training.step(b);  // the first one allocates
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) benchmark::DoNotOptimize(training.step(b));
  graft_benchmark::count_operations<P>(state, 2 * graft_benchmark::trunk_operations(model.config, b), watch.seconds());
  graft_benchmark::count_tokens(state, b.rows(), watch.seconds());
}

template <class P>
graft::adapter_classifier<P>& single() {
  static auto model = graft_benchmark::adapter_model<P>();
  return model;
}

template <class P>
void adapter_step(benchmark::State& state) {
  steps<P>(state, single<P>());
}

template <class P>
void mix_step(benchmark::State& state) {
  auto model = graft_benchmark::mix_model<P>(state.range(2));
  steps<P>(state, model);
}

template <class P>
void evaluation(benchmark::State& state) {
  const graft::batch b = graft_benchmark::sequences(state.range(0), state.range(1));
  graft::matrix<float> logits(b.size(), 2);
  graft::context ctx;
  single<P>().forward(b, logits, nullptr, ctx);
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) single<P>().forward(b, logits, nullptr, ctx);
  graft_benchmark::count_operations<P>(state, graft_benchmark::trunk_operations(single<P>().config, b), watch.seconds());
  graft_benchmark::count_tokens(state, b.rows(), watch.seconds());
}

}  // namespace

#define GRAFT_BENCHMARK_BOTH(name, arguments)                                           \
  BENCHMARK(name<f32>)->Apply(arguments)->UseRealTime()->Unit(benchmark::kMillisecond); \
  BENCHMARK(name<bf16>)->Apply(arguments)->UseRealTime()->Unit(benchmark::kMillisecond)

void step_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "length"})->Args({4, 128})->Args({8, 53})->Args({8, 128})->Args({32, 53});
}
void mix_sizes(benchmark::internal::Benchmark* b) { b->ArgNames({"batch", "length", "adapters"})->Args({8, 53, 2})->Args({8, 53, 8}); }
void evaluation_sizes(benchmark::internal::Benchmark* b) { b->ArgNames({"batch", "length"})->Args({8, 53})->Args({32, 53}); }

GRAFT_BENCHMARK_BOTH(adapter_step, step_sizes);
GRAFT_BENCHMARK_BOTH(mix_step, mix_sizes);
GRAFT_BENCHMARK_BOTH(evaluation, evaluation_sizes);
BENCHMARK_MAIN();
