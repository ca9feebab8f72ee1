// Where the time of a training step goes, operator by operator:  graft_benchmark_breakdown [BATCH [LENGTH [STEPS]]]

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "ceiling.hpp"
#include "graft/data/batch.hpp"
#include "graft/encoder/known_states.hpp"
#include "graft/gemm/product.hpp"
#include "models.hpp"

namespace {

using graft::index;

/// Prints the table of one model; the times are means over STEPS steps.
template <class P, class M>
void print(const char* what, M model, const graft::batch& b, int steps) {
  graft_benchmark::training<M> training(model);
  graft::profile times;
  training.step(b);
  training.ctx.times = &times;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) training.step(b);
  const double step = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / steps;

  const double kernels = static_cast<double>(times.kernel_nanoseconds) * 1e-9 / steps / training.ctx.threads;
  const double rate = static_cast<double>(times.kernel_operations) / static_cast<double>(times.kernel_nanoseconds) * training.ctx.threads;
  const double ceiling = graft_benchmark::ceiling<P>() * 1e-9;
  std::printf(
      "%s, %s%s%s: %td rows, %d threads, %.1f ms a step, %.0f tokens/s\n", what, P::name, std::is_same_v<P, graft::bf16> ? " on " : "",
      std::is_same_v<P, graft::bf16> ? graft::detail::first_that_runs(graft::detail::bf16_kernels(), graft::chosen_tile_path().path).name
                                     : "",
      b.rows(), training.ctx.threads, 1e3 * step, static_cast<double>(b.rows()) / step);
  const auto line = [&](const char* name, double seconds) {
    std::printf("  %-28s %9.2f ms %6.1f %%\n", name, 1e3 * seconds, 100 * seconds / step);
  };
  double known = 0, around = kernels;
  for (std::size_t i = 0; i < times.seconds.size(); ++i) {
    const double seconds = times.seconds[i] / steps;
    known += seconds;
    if (i == static_cast<std::size_t>(graft::operation::product)) {
      line("products: kernels", kernels);
      line("products: their blocks, waits", seconds - kernels);
      around += seconds - kernels;
    } else {
      line(graft::operation_names[i], seconds);
    }
  }
  line("the rest", step - known);
  for (const auto also : {graft::operation::packing, graft::operation::wait})
    around += times.seconds[static_cast<std::size_t>(also)] / steps;
  std::printf("  kernels run at %.0f GFLOP/s, %.0f %% of the ceiling of %.0f; with blocks, packing and waits %.0f %%\n\n", rate,
              100 * rate / ceiling, ceiling, 100 * rate / ceiling * kernels / around);
}

/// States of the lower six layers, the same of every sequence: a prefix cache that holds all.
class all_known : public graft::known_states {
 public:
  index layers() const override { return 6; }
  const std::byte* find(std::span<const std::int32_t>, std::span<const std::int32_t>) const override {
    return reinterpret_cast<const std::byte*>(states_.data());
  }

 private:
  graft::matrix<float> states_ = graft::matrix<float>::Random(512, 768);
};

/// Adapters in the upper six layers; KNOWN: a prefix cache holds what comes to them.
template <class P>
graft::adapter_classifier<P> upper_half(bool known) {
  auto model = graft_benchmark::adapter_model<P>({.size = 64, .leave_out = {0, 1, 2, 3, 4, 5}});
  if (known) model.trunk.known = std::make_shared<all_known>();
  return model;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i, int fallback) { return argc > i ? std::atoi(argv[i]) : fallback; };
  const int batch = number(1, 8), length = number(2, 53), steps = number(3, 5);
  if (batch < 1 || length < 1 || length > 512 || steps < 1) {
    std::fprintf(stderr, "usage: graft_benchmark_breakdown [BATCH [LENGTH, up to 512 [STEPS]]]\n");
    return 2;
  }
  const graft::batch b = graft_benchmark::sequences(batch, length);
  print<graft::f32>("one adapter", graft_benchmark::adapter_model<graft::f32>(), b, steps);
  print<graft::bf16>("one adapter", graft_benchmark::adapter_model<graft::bf16>(), b, steps);
  print<graft::f32>("adapters in layers 6-11", upper_half<graft::f32>(false), b, steps);
  print<graft::f32>("the same, states of 0-5 known", upper_half<graft::f32>(true), b, steps);
  print<graft::bf16>("adapters in layers 6-11", upper_half<graft::bf16>(false), b, steps);
  print<graft::bf16>("the same, states of 0-5 known", upper_half<graft::bf16>(true), b, steps);
  print<graft::f32>("mix of 2 adapters and base", graft_benchmark::mix_model<graft::f32>(2), b, steps);
  print<graft::bf16>("mix of 2 adapters and base", graft_benchmark::mix_model<graft::bf16>(2), b, steps);
  print<graft::bf16>("mix of 8 adapters and base", graft_benchmark::mix_model<graft::bf16>(8), b, steps);
  return 0;
}
