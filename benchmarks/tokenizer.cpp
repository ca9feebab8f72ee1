// How fast text becomes ids:  graft_benchmark_tokenizer TEXT FOLDER... [--benchmark_format=json]
// bytes_per_second is of UTF-8, tokens of ids made, each a second. `encode` takes a line a call, on one thread; `featurize_all` the whole
// text as a data set of a row a line, on all cores.

#include "graft/text/tokenizer.hpp"

#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/featurize.hpp"

namespace {

std::int64_t bytes = 0;
std::vector<graft::example> rows;

void finish(benchmark::State& state, std::size_t tokens) {
  state.SetBytesProcessed(state.iterations() * bytes);
  state.counters["tokens"] = benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
}

void encode(benchmark::State& state, const graft::tokenizer& model) {
  std::size_t tokens = 0;
  for (auto _ : state) {
    for (const auto& row : rows) tokens += model.encode(row.text_a).size();
  }
  finish(state, tokens);
}

void featurize_all(benchmark::State& state, const graft::tokenizer& model) {
  std::size_t tokens = 0;
  for (auto _ : state) {
    for (const auto& row : graft::featurize_all(rows, model, 1'000'000, static_cast<int>(state.range(0)))) tokens += row.input_ids.size();
  }
  finish(state, tokens);
}

}  // namespace

int main(int argc, char** argv) try {
  benchmark::Initialize(&argc, argv);
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s TEXT FOLDER... [--benchmark_...]\n", argv[0]);
    return 2;
  }
  const graft::mapped_file text(argv[1]);
  bytes = static_cast<std::int64_t>(text.size());
  graft::detail::for_each_line(text.text(), [](std::uint64_t, std::string_view line) { rows.emplace_back().text_a = line; });
  for (const std::string folder : std::span(argv + 2, argv + argc)) {
    const auto model = std::make_shared<graft::tokenizer>(graft::tokenizer::from_folder(folder));
    const std::string name = std::filesystem::path(folder).filename().string();
    benchmark::RegisterBenchmark(("encode/" + name).c_str(), [model](benchmark::State& state) {
      encode(state, *model);
    })->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark(("featurize_all/" + name).c_str(), [model](benchmark::State& state) { featurize_all(state, *model); })
        ->Unit(benchmark::kMillisecond)
        ->ArgName("threads")
        ->Arg(1)
        ->Arg(omp_get_num_procs())
        ->UseRealTime();
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
} catch (const graft::error& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
