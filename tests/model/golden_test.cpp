// Whole models against what PyTorch computed in f64: logits, first gradients, a trajectory of losses, mixing weights, final parameters.

#include "support/golden.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>

#include "support/shared.hpp"

using graft_test::golden_errors;

namespace {

std::vector<std::string> variants_in(const std::string& folder) {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (std::filesystem::exists(entry.path() / "golden.json")) all.push_back(entry.path().filename().string());
  }
  std::sort(all.begin(), all.end());
  return all;
}

void check_f64(const golden_errors& e) {
  CHECK(e.logits <= 1e-10);
  CHECK(e.gradients <= 1e-8);
  CHECK(e.losses <= 1e-8);
  CHECK(e.norms <= 1e-8);
  CHECK(e.weights <= 1e-8);
}

void check_folder(const std::string& folder) {
  golden_errors worst, worst_f32;
  for (const std::string& variant : variants_in(folder)) {
    INFO(folder << "/" << variant);
    const bool whole_trunk = variant == "plain" || variant.find("_ft") != std::string::npos;
    for (const bool optimized : {true, false}) {
      INFO("fused: " << optimized);
      const auto e = graft_test::run_golden_variant<graft::f64>(folder, variant, optimized);
      check_f64(e);
      CHECK((whole_trunk ? e.parameters_but_key_biases : e.parameters) <= 1e-6);
      worst.logits = std::max(worst.logits, e.logits);
      worst.gradients = std::max(worst.gradients, e.gradients);
      worst.losses = std::max(worst.losses, e.losses);
      worst.weights = std::max(worst.weights, e.weights);
      worst.parameters = std::max(worst.parameters, whole_trunk ? e.parameters_but_key_biases : e.parameters);
      const auto single = graft_test::run_golden_variant<graft::f32>(folder, variant, optimized);
      CHECK(single.logits <= 2e-5);
      CHECK(single.losses <= 1e-4);
      worst_f32.logits = std::max(worst_f32.logits, single.logits);
      worst_f32.losses = std::max(worst_f32.losses, single.losses);
    }
  }
  std::cerr << std::filesystem::path(folder).filename().string() << ", worst in f64: logits " << worst.logits << ", gradients "
            << worst.gradients << ", losses " << worst.losses << ", mixing weights " << worst.weights << ", final parameters "
            << worst.parameters << "; in f32: logits " << worst_f32.logits << ", losses " << worst_f32.losses << "\n";
}

}  // namespace

TEST_CASE("the project's own goldens are reproduced") {
  for (const char* name : {"model", "bert"}) check_folder(std::string(GRAFT_TEST_DIR) + "/golden/" + name);
}

TEST_CASE("nlprunners' goldens are reproduced") {
  for (const std::string name : {"tiny", "three_adapters", "regression"}) {
    const std::string folder = graft_test::shared_path("golden/" + name);
    if (!folder.empty()) check_folder(folder);
  }
}
