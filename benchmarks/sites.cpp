// Adapter and multi-adapter sites, forward and backward, by rows, bottleneck size and number of adapters, at roberta-base's width.

#include <memory>

#include "ceiling.hpp"
#include "graft/adapters/multi_adapter_site.hpp"
#include "graft/adapters/plain_site.hpp"
#include "graft/model/freezing.hpp"

namespace {

using graft::f32;
using graft::index;
using graft::view;
using values = graft::matrix<float>;

constexpr index width = 768;

/// Runs SITE forward, or forward and backward, with inputs of ROWS rows.   FLOPS: of a forward.
template <class Site>
void run(benchmark::State& state, Site& site, index rows, bool backward, double flops) {
  const values h = values::Random(rows, width), x = values::Random(rows, width), dy = values::Random(rows, width);
  values y(rows, width), dh(rows, width), dx(rows, width);
  view<float> dh_view(dh), dx_view(dx);
  graft::context ctx;
  typename Site::saved saved;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) {
    site.forward(h, x, y, backward ? &saved : nullptr, ctx);
    if (backward) site.backward(dy, saved, &dh_view, &dx_view, ctx);
  }
  if (flops > 0) graft_benchmark::count_operations(state, flops, watch.seconds());
  graft_benchmark::count_tokens(state, rows, watch.seconds());
}

template <class Layer>
void fill(Layer& layer, bool trainable) {
  layer.for_each_parameter([&](auto& p) {
    p.freeze();
    p.edit().setRandom();
    if (trainable) p.train();
  });
  if (!trainable) layer.for_each_parameter([](auto& p) { graft::detail::pack_one<f32>(p, false, true, omp_get_max_threads()); });
}

void plain(benchmark::State& state) {
  graft::plain_site<f32> site("s", width, 1e-5);
  fill(site, false);
  run(state, site, state.range(0), state.range(1) != 0, 0);
}

/// Trained, as in single mode.   Backward: dh and both weight gradients, twice the products of a forward.
void adapter(benchmark::State& state) {
  const index rows = state.range(0), size = state.range(2);
  graft::adapter_site<f32> site("s.adapter", "s.LayerNorm", width, 1e-5, {size});
  fill(site, true);
  const bool backward = state.range(1) != 0;
  run(state, site, rows, backward, (backward ? 3 : 1) * 4.0 * static_cast<double>(rows * width * size));
}

/// Frozen adapters of size 64 and the base, mixing weights trained.   Backward: the up-projection recomputed, and two products an adapter.
void mix(benchmark::State& state) {
  const index rows = state.range(0), adapters = state.range(2);
  graft::multi_adapter_options o;
  for (index k = 0; k < adapters; ++k) o.adapters.push_back({"a" + std::to_string(k)});
  o.optimized = state.range(3) != 0;
  auto weights = std::make_shared<graft::mixing_weights<f32>>("s.weighted_sum", o.count(), o.mode);
  graft::multi_adapter_site<f32> site("s.output", width, 1e-5, o, weights, true);
  fill(site, false);
  fill(*weights, true);
  const bool backward = state.range(1) != 0;
  run(state, site, rows, backward, (backward ? 5.0 : 2.0) * 2 * static_cast<double>(rows * width * 64 * adapters));
}

}  // namespace

BENCHMARK(plain)->ArgNames({"rows", "backward"})->ArgsProduct({{256, 1024, 4096}, {0, 1}})->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(adapter)
    ->ArgNames({"rows", "backward", "size"})
    ->ArgsProduct({{256, 1024, 4096}, {0, 1}, {16, 64, 256}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(mix)
    ->ArgNames({"rows", "backward", "adapters", "fused"})
    ->ArgsProduct({{1024, 4096}, {0, 1}, {1, 2, 4, 8}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_MAIN();
