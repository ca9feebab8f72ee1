#include "graft/model/initialization.hpp"

#include <catch2/catch.hpp>

#include "model/tiny_model.hpp"

using graft::f64;
using graft::matrix;

TEST_CASE("fresh weights are normal with the deviation asked for, and depend on seed and name alone") {
  graft::linear<f64> a("a", 100, 50), same("a", 100, 50), other("b", 100, 50), seeded("a", 100, 50);
  a.bias.edit().setOnes();
  graft::initialize(a, 0.5, 1);
  graft::initialize(same, 0.5, 1);
  graft::initialize(other, 0.5, 1);
  graft::initialize(seeded, 0.5, 2);
  CHECK(a.bias.value().isZero(0));
  CHECK(a.weight.value().mean() == Approx(0).margin(0.03));
  CHECK(std::sqrt(a.weight.value().squaredNorm() / 5000) == Approx(0.5).margin(0.02));
  CHECK(a.weight.value() == same.weight.value());
  CHECK(a.weight.value() != other.weight.value());
  CHECK(a.weight.value() != seeded.weight.value());
  graft::linear<graft::f32> single("a", 100, 50);
  graft::initialize(single, 0.5, 1);
  CHECK((single.weight.value().cast<double>() - a.weight.value()).cwiseAbs().maxCoeff() <= 1e-7);
}

TEST_CASE("BERT's pooler is fresh where the encoder brings none, and only there") {
  auto model = graft::make_plain_classifier<f64>(graft_test::tiny_bert(), 3);
  graft::initialize(model.head, 1);
  CHECK(model.head.dense[0].weight.value().isZero(0));
  graft::initialize(model.head, 1, true);
  const double largest = model.head.dense[0].weight.value().cwiseAbs().maxCoeff();
  CHECK((largest > 0.005 && largest < 0.12));
  CHECK(model.head.dense[0].bias.value().isZero(0));
}

TEST_CASE("fresh adapters and heads are small, the rest is left alone") {
  auto single = graft::make_adapter_classifier<f64>(graft_test::tiny_config(), 3, {4});
  graft::initialize_adapters(single, 0.0002, 1);
  graft::initialize(single.head, 1);
  single.for_each_parameter([](const auto& p) {
    INFO(p.name);
    const double largest = p.value().cwiseAbs().maxCoeff();
    const bool adapter = p.name.find("_project.weight") != std::string::npos;
    const bool head = p.name.starts_with("classifier.") && p.name.ends_with(".weight");
    const bool norm = p.role == graft::parameter_role::layer_norm && p.name.ends_with(".weight");
    if (adapter) CHECK((largest > 0.00005 && largest < 0.0012));
    if (head) CHECK((largest > 0.005 && largest < 0.12));
    if (norm) CHECK(largest == 1);
    if (!adapter && !head && !norm) CHECK(largest == 0);
  });

  auto multi = graft::make_multi_adapter_classifier<f64>(graft_test::tiny_config(), 3, graft_test::tiny_mix(true, true), 1);
  graft::initialize_adapters(multi, 0.0002, 1);
  multi.for_each_parameter([](const auto& p) {
    INFO(p.name);
    const bool fresh = p.name.find("adapter_dict.flex.") != std::string::npos && p.name.ends_with(".weight");
    if (p.role == graft::parameter_role::adapter) CHECK(p.value().isZero(0) == !fresh);
  });
}
