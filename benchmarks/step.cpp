// Whole steps of a roberta-base shape with random weights: forward, loss, backward, clipping, AdamW; and evaluation alone.

#include <memory>

#include "ceiling.hpp"
#include "graft/losses/losses.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "graft/optim/adamw.hpp"
#include "graft/optim/schedule.hpp"

namespace {

using graft::bf16;
using graft::f32;
using graft::index;

graft::encoder_config roberta_base() {
  graft::encoder_config c;
  c.model_type = "roberta";
  c.vocab_size = 50265;
  c.hidden_size = 768;
  c.num_hidden_layers = 12;
  c.num_attention_heads = 12;
  c.intermediate_size = 3072;
  c.max_position_embeddings = 514;
  c.type_vocab_size = 1;
  c.layer_norm_eps = 1e-5;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = 0.1;
  c.hidden_act = "gelu";
  c.pad_token_id = 1;
  return c;
}

graft::batch sequences(index count, index length) {
  graft::batch b;
  for (index i = 0; i < count; ++i) {
    graft::features row;
    for (index t = 0; t < length; ++t) row.input_ids.push_back(3 + static_cast<std::int32_t>((i * 7919 + t * 104729) % 50000));
    row.label = static_cast<std::int32_t>(i % 2);
    b.add(row);
  }
  return b;
}

/// Operations of the trunk's matrix products for a forward; a backward to the lowest layer has as many again.
double trunk_operations(const graft::encoder_config& c, index tokens) {
  const double h = static_cast<double>(c.hidden_size), f = static_cast<double>(c.intermediate_size);
  return 2.0 * static_cast<double>(tokens * c.num_hidden_layers) * (4 * h * h + 2 * h * f);
}

template <class M>
void steps(benchmark::State& state, M& model) {
  const graft::batch b = sequences(state.range(0), state.range(1));
  const auto parameters = graft::trainable_parameters(model);
  graft::adamw<float> optimizer(parameters, {});
  typename M::trace trace;
  graft::matrix<float> logits(b.size(), 2), dlogits(b.size(), 2);
  graft::context ctx;
  ctx.training = true;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) {
    ++ctx.step;
    model.forward(b, logits, &trace, ctx);
    graft::view<float> d = dlogits;
    benchmark::DoNotOptimize(graft::cross_entropy<float>(logits, b.labels, &d));
    model.backward(dlogits, b, trace, ctx);
    graft::clip_gradients(parameters, 1.0);
    optimizer.step(1e-4, 1e-2, ctx.threads);
    optimizer.zero_gradients();
  }
  graft_benchmark::count_operations(state, 2 * trunk_operations(model.config, b.rows()), watch.seconds());
  graft_benchmark::count_tokens(state, b.rows(), watch.seconds());
}

template <class M>
void fill(M& model) {
  model.for_each_parameter([](auto& p) {
    if (p.role != graft::parameter_role::layer_norm) graft::draw_normal(p, 0.02, 1);
  });
}

template <class P>
graft::adapter_classifier<P>& single() {
  static auto model = [] {
    auto m = graft::make_adapter_classifier<P>(roberta_base(), 2, 64);
    fill(m);
    graft::tune_adapters(m);
    graft::pack_frozen(m, true, omp_get_max_threads());
    return m;
  }();
  return model;
}

template <class P>
void adapter_step(benchmark::State& state) {
  steps(state, single<P>());
}

template <class P>
void mix_step(benchmark::State& state) {
  graft::multi_adapter_options o;
  for (index k = 0; k < state.range(2); ++k) o.adapters.push_back({"a" + std::to_string(k)});
  auto model = graft::make_multi_adapter_classifier<P>(roberta_base(), 2, o, 1);
  fill(model);
  graft::tune_mix(model, graft::multi_adapter_ft_mode::base);
  graft::pack_frozen(model, true, omp_get_max_threads());
  steps(state, model);
}

template <class P>
void evaluation(benchmark::State& state) {
  const graft::batch b = sequences(state.range(0), state.range(1));
  graft::matrix<float> logits(b.size(), 2);
  graft::context ctx;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) single<P>().forward(b, logits, nullptr, ctx);
  graft_benchmark::count_operations(state, trunk_operations(single<P>().config, b.rows()), watch.seconds());
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
