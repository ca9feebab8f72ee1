// Matrix products of a roberta-base step, by rows: y = x W^T (forward), dx = dy W (input), dW = dy^T x (weight).

#include "graft/gemm/gemm.hpp"

#include "ceiling.hpp"

namespace {

using graft::as;
using graft::const_view;
using graft::index;
using graft::view;
using values = graft::matrix<float>;

void multiply(benchmark::State& state, as op_a, const values& a, as op_b, const values& b, index m, index n, index k) {
  values c(m, n);
  graft::context ctx;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) graft::multiply<graft::f32>(op_a, const_view<float>(a), op_b, const_view<float>(b), 0.0F, view<float>(c), ctx);
  graft_benchmark::count_operations(state, 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), watch.seconds());
}

void forward(benchmark::State& state) {
  const index rows = state.range(0), out = state.range(1), in = state.range(2);
  multiply(state, as::is, values::Random(rows, in), as::transposed, values::Random(out, in), rows, out, in);
}
void input(benchmark::State& state) {
  const index rows = state.range(0), out = state.range(1), in = state.range(2);
  multiply(state, as::is, values::Random(rows, out), as::is, values::Random(out, in), rows, in, out);
}
void weight(benchmark::State& state) {
  const index rows = state.range(0), out = state.range(1), in = state.range(2);
  multiply(state, as::transposed, values::Random(rows, out), as::is, values::Random(rows, in), out, in, rows);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"rows", "out", "in"})->UseRealTime()->Unit(benchmark::kMicrosecond);
  for (const index rows : {64, 256, 1024, 4096}) {
    for (const auto& [out, in] : {std::pair{768, 768}, {3072, 768}, {768, 3072}, {64, 768}, {768, 64}}) b->Args({rows, out, in});
  }
}

}  // namespace

BENCHMARK(forward)->Apply(shapes);
BENCHMARK(input)->Apply(shapes);
BENCHMARK(weight)->Apply(shapes);
BENCHMARK_MAIN();
