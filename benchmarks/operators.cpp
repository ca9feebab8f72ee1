// The operators between matrix products, forward and backward, at roberta-base's width: by rows, attention by length.

#include <algorithm>
#include <numeric>

#include "ceiling.hpp"
#include "graft/ops/attention_core.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/gelu.hpp"
#include "graft/ops/layer_norm.hpp"

namespace {

using graft::const_view;
using graft::index;
using graft::view;
using values = graft::matrix<float>;

constexpr index width = 768, wide = 3072, heads = 12;

/// gelu(x) and its gelu_derivative, as the feed-forward layer computes them for training: in place, in pieces of 32, the gelu_derivative
/// kept in 8 bits.
void gelu_forward(benchmark::State& state) {
  const values x = values::Random(state.range(0), wide);
  values y(x.rows(), wide);
  std::vector<std::uint8_t> derivatives(static_cast<std::size_t>(x.size()));
  graft::context ctx;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) {
    graft::parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
      float derivative[wide];
      for (index r = begin; r < end; ++r) {
        graft::ops::gelu_with_derivative(x.data() + r * wide, y.data() + r * wide, derivative, wide);
        graft::ops::save_gelu_derivative(derivative, derivatives.data() + r * wide, wide);
      }
    });
  }
  graft_benchmark::count_tokens(state, x.rows(), watch.seconds());
}
void gelu_backward(benchmark::State& state) {
  values dx = values::Random(state.range(0), wide);
  const std::vector<std::uint8_t> derivatives(static_cast<std::size_t>(dx.size()), 255 / 2);
  graft::context ctx;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) {
    graft::parallel_for(dx.rows(), 16, ctx.threads, [&](index begin, index end) {
      graft::ops::scale_by_gelu_derivative(dx.data() + begin * wide, derivatives.data() + begin * wide, (end - begin) * wide);
    });
  }
  graft_benchmark::count_tokens(state, dx.rows(), watch.seconds());
}
void layer_norm_forward(benchmark::State& state) {
  const values x = values::Random(state.range(0), width), g = values::Ones(1, width);
  values y(x.rows(), width), xhat(x.rows(), width), r(x.rows(), 1);
  graft::context ctx;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) graft::ops::layer_norm_forward<float>(x, {nullptr, 0, 0}, g, g, 1e-5F, y, xhat, r, ctx);
  graft_benchmark::count_tokens(state, x.rows(), watch.seconds());
}
void layer_norm_backward(benchmark::State& state) {
  const values xhat = values::Random(state.range(0), width), dy = values::Random(xhat.rows(), width), r = values::Ones(xhat.rows(), 1),
               g = values::Ones(1, width);
  values dx(xhat.rows(), width), dg = values::Zero(1, width), db = dg;
  view<float> dx_view(dx);
  graft::context ctx;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) graft::ops::layer_norm_backward<float>(dy, xhat, r, g, &dx_view, dg, db, ctx);
  graft_benchmark::count_tokens(state, xhat.rows(), watch.seconds());
}
void dropout(benchmark::State& state) {
  values x = values::Random(state.range(0), width);
  graft::context ctx;
  const graft::training_step training(ctx, 0);
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) graft::ops::dropout<float>(x, 0.1, 0, graft::rows_of::tokens, ctx);
  graft_benchmark::count_tokens(state, x.rows(), watch.seconds());
}

/// 1024 tokens in sequences of one length, or one longer sequence.   Operations: q k^T and p v; backward five such products, with the recomputed one.
void attention(benchmark::State& state, bool backward) {
  const index length = state.range(0), rows = std::max<index>(1024, length);
  std::vector<index> offsets;
  for (index at = 0; at <= rows; at += length) offsets.push_back(at);
  const values q = values::Random(rows, width), k = values::Random(rows, width), v = values::Random(rows, width),
               dy = values::Random(rows, width);
  values y(rows, width), dq(rows, width), dk(rows, width), dv(rows, width);
  graft::context ctx;
  const auto sequences = ctx.with_sequences(offsets);
  graft::ops::attention_saved<graft::f32> saved;
  graft::ops::attention_forward<graft::f32>(q, k, v, y, {heads}, ctx, {}, &saved);
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) {
    if (backward) {
      graft::ops::attention_backward<graft::f32>(dy, q, k, v, dq, dk, dv, {heads}, ctx, {}, saved);
    } else {
      graft::ops::attention_forward<graft::f32>(q, k, v, y, {heads}, ctx);
    }
  }
  graft_benchmark::count_operations(state, (backward ? 10.0 : 4.0) * rows * length * width, watch.seconds());
  graft_benchmark::count_tokens(state, rows, watch.seconds());
}
void attention_forward(benchmark::State& state) { attention(state, false); }
void attention_backward(benchmark::State& state) { attention(state, true); }

void by_rows(benchmark::internal::Benchmark* b) {
  b->ArgName("rows")->Arg(256)->Arg(1024)->Arg(4096)->UseRealTime()->Unit(benchmark::kMicrosecond);
}
void by_length(benchmark::internal::Benchmark* b) {
  b->ArgName("length")->Arg(16)->Arg(64)->Arg(128)->Arg(512)->Arg(2048)->Arg(4096)->Arg(8192)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

}  // namespace

BENCHMARK(gelu_forward)->Apply(by_rows);
BENCHMARK(gelu_backward)->Apply(by_rows);
BENCHMARK(layer_norm_forward)->Apply(by_rows);
BENCHMARK(layer_norm_backward)->Apply(by_rows);
BENCHMARK(dropout)->Apply(by_rows);
BENCHMARK(attention_forward)->Apply(by_length);
BENCHMARK(attention_backward)->Apply(by_length);
BENCHMARK_MAIN();
