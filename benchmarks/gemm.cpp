// Matrix products of a roberta-base step, by rows: y = x W^T (forward), dx = dy W (input), dW = dy^T x (weight), in f32 by oneDNN; and the
// first of them from packed weights, in f32 and bf16, by graft and by oneDNN.

#include "graft/gemm/gemm.hpp"

#include <dnnl.hpp>

#include "ceiling.hpp"

namespace {

using graft::const_view;
using graft::index;
using graft::transpose;
using graft::view;
using values = graft::matrix<float>;

void multiply(benchmark::State& state, transpose op_a, const values& a, transpose op_b, const values& b, index m, index n, index k) {
  values c(m, n);
  graft::context ctx;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) graft::multiply<graft::f32>(op_a, const_view<float>(a), op_b, const_view<float>(b), 0.0F, view<float>(c), ctx);
  graft_benchmark::count_operations(state, 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), watch.seconds());
}

void forward(benchmark::State& state) {
  const index rows = state.range(0), out = state.range(1), in = state.range(2);
  multiply(state, transpose::no, values::Random(rows, in), transpose::yes, values::Random(out, in), rows, out, in);
}
void input(benchmark::State& state) {
  const index rows = state.range(0), out = state.range(1), in = state.range(2);
  multiply(state, transpose::no, values::Random(rows, out), transpose::no, values::Random(out, in), rows, in, out);
}
void weight(benchmark::State& state) {
  const index rows = state.range(0), out = state.range(1), in = state.range(2);
  multiply(state, transpose::yes, values::Random(rows, out), transpose::no, values::Random(rows, in), out, in, rows);
}

/// y = x W^T as layers compute it: W packed beforehand, x packed in the measured time, y written block by block.
template <class P>
void packed_forward(benchmark::State& state) {
  const index rows = state.range(0), out = state.range(1), in = state.range(2);
  auto w = graft::parameter<float>::factor("w", graft::parameter_role::weight, out, in);
  w.edit() = values::Random(out, in);
  graft::pack_weight<P>(w, false, omp_get_max_threads());
  const values x = values::Random(rows, in);
  values y(rows, out);
  view<float> to(y);
  graft::context ctx;
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) {
    graft::product<P>(x, {w, transpose::yes}, ctx,
                      [&](index row, index col, const auto& block) { to.window(row, col, block.rows(), block.cols()) = block; });
  }
  graft_benchmark::count_operations<P>(state, 2.0 * static_cast<double>(rows * out * in), watch.seconds());
}

#if DNNL_VERSION_MAJOR == 2
/// The same in oneDNN: bf16, W in the layout that it likes best, x converted in the measured time.
void onednn_bf16_forward(benchmark::State& state) {
  const index rows = state.range(0), out = state.range(1), in = state.range(2);
  using dnnl::memory;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc plain({rows, in}, memory::data_type::f32, memory::format_tag::ab);
  const memory::desc x_type({rows, in}, memory::data_type::bf16, memory::format_tag::ab);
  const memory::desc y_type({rows, out}, memory::data_type::f32, memory::format_tag::ab);
  const memory::desc any({in, out}, memory::data_type::bf16, memory::format_tag::any);
  const dnnl::matmul::primitive_desc chosen(dnnl::matmul::desc(x_type, any, y_type), engine);
  const dnnl::matmul product(chosen);
  values x_values = values::Random(rows, in);
  memory source(plain, engine, x_values.data()), x(x_type, engine), w(chosen.weights_desc(), engine), y(y_type, engine);
  const dnnl::reorder convert(source, x);
  const graft_benchmark::stopwatch watch;
  for (auto _ : state) {
    convert.execute(stream, source, x);
    product.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}});
    stream.wait();
  }
  state.SetLabel(chosen.impl_info_str());
  graft_benchmark::count_operations<graft::bf16>(state, 2.0 * static_cast<double>(rows * out * in), watch.seconds());
}
#endif

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"rows", "out", "in"})->UseRealTime()->Unit(benchmark::kMicrosecond);
  for (const index rows : {64, 256, 1024, 4096}) {
    for (const auto& [out, in] : {std::pair{768, 768}, {3072, 768}, {768, 3072}, {64, 768}, {768, 64}}) b->Args({rows, out, in});
  }
}

}  // namespace

BENCHMARK(packed_forward<graft::f32>)->Apply(shapes);
BENCHMARK(packed_forward<graft::bf16>)->Apply(shapes);
#if DNNL_VERSION_MAJOR == 2
BENCHMARK(onednn_bf16_forward)->Apply(shapes);
#endif
BENCHMARK(forward)->Apply(shapes);
BENCHMARK(input)->Apply(shapes);
BENCHMARK(weight)->Apply(shapes);

int main(int argc, char** argv) {
  if (graft::detail::hides_tile_shapes()) dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
