// What it gains that rows go through the model in windows, sorted by length:  graft_benchmark_windows FOLDER [--benchmark_format=json]
// The model of FOLDER, f32, two threads, 96 texts of 6 to 936 characters in no order: all of them a call, which sorts them; 32, 8 or one a
// call, in the order in which they come.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graft/predictor.hpp"

namespace {

std::vector<graft::example> texts() {
  std::vector<graft::example> all(96);
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::string& text = all[i].text_a;
    const std::size_t length = 6 + i * 37 % all.size() * 930 / (all.size() - 1);
    for (std::size_t n = i; text.size() < length; ++n) text += std::to_string(n * 7919 % 997) + " and ";
    text.resize(length);
  }
  return all;
}

void predict(benchmark::State& state, const graft::predictor& model, std::span<const graft::example> rows) {
  const auto at_once = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    for (std::size_t i = 0; i < rows.size(); i += at_once) {
      benchmark::DoNotOptimize(model.predict(rows.subspan(i, std::min(at_once, rows.size() - i)), 0, 2));
    }
  }
  state.SetItemsProcessed(state.iterations() * std::ssize(rows));
}

}  // namespace

int main(int argc, char** argv) try {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER [--benchmark_...]\n", argv[0]);
    return 2;
  }
  const auto model = std::make_shared<graft::predictor>(graft::predictor::from_folder(argv[1], {.precision = graft::precision::f32}));
  const auto rows = std::make_shared<std::vector<graft::example>>(texts());
  benchmark::RegisterBenchmark("predict", [=](benchmark::State& state) { predict(state, *model, *rows); })
      ->ArgName("rows_a_call")
      ->Args({96})
      ->Args({32})
      ->Args({8})
      ->Args({1})
      ->Unit(benchmark::kSecond)
      ->UseRealTime();
  benchmark::RunSpecifiedBenchmarks();
} catch (const std::exception& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
