// Whole models in bf16 against what PyTorch computed in f64: near, as far as 8 bits of every factor allow.

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>

#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "support/golden.hpp"
#include "support/tile_paths.hpp"

using graft::bf16;

namespace {

struct step_result {
  graft::matrix<float> logits, gradient;  // of the lowest adapter's down-projection
};

/// One step of a model with random weights on PATH, the frozen ones in 8 bits or not.
template <class P = bf16>
step_result step(graft::tile_path path, bool int8 = false) {
  const std::string folder = GRAFT_TEST_DIR "/golden/model";
  auto model = graft::make_adapter_classifier<P>(graft::read_encoder_config(folder + "/config.json"), 3, {5});
  model.for_each_parameter([](auto& p) {
    if (p.role != graft::parameter_role::layer_norm) graft::draw_normal(p, 0.1, 1);
  });
  graft::tune_adapters(model);
  model.trunk.int8 = int8;
  graft::pack_frozen(model, true, 1);
  const auto b = graft_test::golden_batches(folder).front();
  graft::context ctx;
  ctx.tiles = path;
  typename graft::adapter_classifier<P>::trace trace;
  step_result n{graft::matrix<float>(b.size(), 3), {}};
  model.forward(b, n.logits, &trace, ctx);
  model.backward(n.logits, b, trace, ctx);
  n.gradient = model.trunk.layers[0].attention_site.module()->down_project.weight.gradient();
  return n;
}

float relative(const graft::matrix<float>& a, const graft::matrix<float>& b) {
  return (a - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff();
}

}  // namespace

TEST_CASE("a step in bf16 is the same on every path, to rounding") {
  const graft_test::tile_paths paths;
  const step_result expected = step(graft::tile_path::portable);
  REQUIRE(expected.gradient.cwiseAbs().maxCoeff() > 0);
  for (const auto path : paths) {
    INFO(graft::tile_path_name(path));
    const step_result n = step(path);
    CHECK(relative(n.logits, expected.logits) <= 0.01F);
    CHECK(relative(n.gradient, expected.gradient) <= 0.05F);
  }
}

TEST_CASE("a step around frozen weights in 8 bits is near one without, way back included") {
  const step_result expected = step<graft::f32>(graft::tile_path::portable);
  for (const bool wide : {false, true}) {
    const step_result n = wide ? step<graft::f32>(graft::tile_path::portable, true) : step(graft::tile_path::portable, true);
    CHECK(n.logits != expected.logits);
    CHECK(relative(n.logits, expected.logits) <= 0.05F);
    CHECK(relative(n.gradient, expected.gradient) <= 0.1F);
  }
}

TEST_CASE("models in bf16 come near the goldens, fused and plain") {
  graft_test::golden_errors worst;
  for (const char* folder : {GRAFT_TEST_DIR "/golden/model", GRAFT_TEST_DIR "/golden/bert"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!std::filesystem::exists(entry.path() / "golden.json")) continue;
      const std::string variant = entry.path().filename().string();
      for (const bool optimized : {true, false}) {
        INFO(folder << "/" << variant << ", fused " << optimized);
        const auto e = graft_test::run_golden_variant<bf16>(folder, variant, optimized);
        CHECK(e.logits <= 0.06);
        CHECK(e.losses <= 0.04);
        worst.logits = std::max(worst.logits, e.logits);
        worst.losses = std::max(worst.losses, e.losses);
        worst.gradients = std::max(worst.gradients, e.gradients);
      }
    }
  }
  std::cerr << "bf16, worst: logits " << worst.logits << ", losses " << worst.losses << ", first gradients " << worst.gradients << "\n";
}
