// What bf16 costs in accuracy: the same roberta-base shape with the same random weights and the same rows in f32 and in bf16, logits first,
// then the losses of a training run:  graft_benchmark_precision [STEPS [LEARNING_RATE]]

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/data/batch.hpp"
#include "models.hpp"

namespace {

using graft::index;

/// BATCHES batches of 8 sequences of 20 to 90 tokens. The classes draw from two halves of the vocabulary, one token in four from the wrong
/// one: it can be learned, and not at once.
std::vector<graft::batch> learnable(index batches) {
  std::vector<graft::batch> all;
  const graft::random_stream random(7, 0, 0);
  std::uint64_t next = 0;
  for (index n = 0; n < batches; ++n) {
    graft::batch& b = all.emplace_back();
    for (index i = 0; i < 8; ++i) {
      graft::features row;
      row.label = static_cast<std::int32_t>(random.bits(next++) % 2);
      const index length = 20 + random.bits(next++) % 71;
      for (index t = 0; t < length; ++t) {
        const std::uint32_t half = random.bits(next++) % 4 == 0 ? 1 - row.label : row.label;
        row.input_ids.push_back(static_cast<std::int32_t>(3 + half * 25000 + random.bits(next++) % 25000));
      }
      b.add(row);
    }
  }
  return all;
}

struct outcome {
  std::vector<double> logits, losses;
};

template <class P>
outcome run(const std::vector<graft::batch>& batches, int steps, double rate) {
  outcome o;
  auto model = graft_benchmark::adapter_model<P>();
  graft::context ctx;
  graft::matrix<float> logits(8, 2);
  for (const graft::batch& b : batches) {
    model.forward(b, logits, nullptr, ctx);
    o.logits.insert(o.logits.end(), logits.data(), logits.data() + logits.size());
  }
  graft_benchmark::training training(model, rate);
  for (int i = 0; i < steps; ++i) o.losses.push_back(training.step(batches[static_cast<std::size_t>(i) % batches.size()]));
  return o;
}

void compare(const char* what, const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0, largest = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += std::abs(a[i] - b[i]);
    largest = std::max(largest, std::abs(a[i] - b[i]));
    size += std::abs(a[i]);
  }
  const auto n = static_cast<double>(a.size());
  std::printf("%s: differ by %.2g on average, %.2g at most; their mean size is %.3g (%zu numbers)\n", what, sum / n, largest, size / n,
              a.size());
}

}  // namespace

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 200;
  const double rate = argc > 2 ? std::atof(argv[2]) : 1e-3;
  if (steps < 1 || !(rate > 0)) {
    std::fprintf(stderr, "usage: graft_benchmark_precision [STEPS [LEARNING_RATE]]\n");
    return 2;
  }
  const auto batches = learnable(16);
  const outcome exact = run<graft::f32>(batches, steps, rate), rounded = run<graft::bf16>(batches, steps, rate);
  compare("logits before training", exact.logits, rounded.logits);
  compare("losses of all steps", exact.losses, rounded.losses);
  std::printf("mean losses     f32      bf16\n");
  for (int first = 0; first < steps; first += 20) {
    const int last = std::min(steps, first + 20);
    const auto mean = [&](const std::vector<double>& all) {
      double sum = 0;
      for (int i = first; i < last; ++i) sum += all[static_cast<std::size_t>(i)];
      return sum / (last - first);
    };
    std::printf("%4d .. %4d  %.5f  %.5f\n", first + 1, last, mean(exact.losses), mean(rounded.losses));
  }
  return 0;
}
