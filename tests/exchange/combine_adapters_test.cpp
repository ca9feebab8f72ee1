// Several adapters as one, by hand, and to the bits of AdapterHub's average_adapter.

#include "graft/exchange/combine_adapters.hpp"

#include <cmath>

#include "exchange/material.hpp"
#include "graft/exchange/merge_adapter.hpp"
#include "graft/io/model_file.hpp"

using namespace graft_test;
using Catch::Contains;
using graft::combination;

namespace {

const std::string query = "roberta.encoder.layer.0.attention.self.query";

graft::model_description headless(graft::model_description d) {
  d.labels.clear();
  return d;
}

/// made_adapter of D with every number times FACTOR.
graft::adapter_file scaled_adapter(const graft::model_description& d, float factor) {
  const auto made = made_adapter(roberta_config(), d);
  graft::adapter_file a{d, graft::tensor_source("made")};
  for (const auto& [name, info] : made.tensors.tensors()) {
    const auto values = std::make_shared<std::vector<float>>(made.tensors.values<float>(name));
    for (float& v : *values) v *= factor;
    a.tensors.keep_alive(values);
    a.tensors.add(name, {graft::dtype::f32, info.shape, std::as_bytes(std::span(*values))});
  }
  return a;
}

}  // namespace

TEST_CASE("an average of adapters is one product and one sum for each, rounded as they come") {
  const auto a = scaled_adapter(headless(houlsby()), 0.1F), b = scaled_adapter(headless(houlsby()), 0.7F);
  const std::vector<double> weights{0.3, -1.7};
  const auto both = graft::combine_adapters({a, b}, weights, combination::linear, roberta_config());
  CHECK(both.tensors.tensors().size() == a.tensors.tensors().size());
  CHECK_FALSE(both.has_head());
  for (const auto& [name, info] : both.tensors.tensors()) {
    const auto x = a.tensors.values<float>(name), y = b.tensors.values<float>(name), sum = both.tensors.values<float>(name);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const volatile float first = 0.3F * x[i], second = -1.7F * y[i];
      const volatile float expected = first + second;
      REQUIRE(sum[i] == expected);
    }
  }
}

TEST_CASE("low-rank updates combine as their matrices, with B negated alone, or one behind the other") {
  const auto d = headless(lora());
  auto other = d;
  other.lora.r = 2;
  other.lora.alpha = 5;
  const auto a = scaled_adapter(d, 0.01F), b = scaled_adapter(d, -0.02F), smaller = scaled_adapter(other, 0.03F);
  const auto numbers = [](const graft::adapter_file& one, const char* part) { return one.tensors.values<float>(query + part); };
  const auto negated = graft::combine_adapters({a, b}, {1, -0.5}, combination::only_negate_b, roberta_config());
  CHECK(numbers(negated, ".lora_A.weight")[4] == numbers(a, ".lora_A.weight")[4] + 0.5F * numbers(b, ".lora_A.weight")[4]);
  CHECK(numbers(negated, ".lora_B.weight")[4] == numbers(a, ".lora_B.weight")[4] - 0.5F * numbers(b, ".lora_B.weight")[4]);

  const auto trunk = graft::open_model(golden + "model/model.safetensors", "roberta");
  const auto behind = graft::combine_adapters({a, smaller}, {2, -0.5}, combination::cat, roberta_config());
  CHECK(behind.description.lora.r == 5);
  CHECK(behind.description.lora.alpha == 5);
  const auto weight = [&](const graft::adapter_file& one) {
    return graft::merged_tensors(trunk, one).tensors.values<float>(query + ".weight");
  };
  const auto before = trunk.values<float>(query + ".weight"), whole = weight(behind), one = weight(a), two = weight(smaller);
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(whole[i] - before[i] == Approx(2 * (one[i] - before[i]) - 0.5 * (two[i] - before[i])).epsilon(1e-3).margin(1e-4));

  const auto refused = [&](const std::vector<graft::adapter_file>& all, combination how) {
    return refusal([&] { graft::combine_adapters(all, std::vector<double>(all.size(), 0.5), how, roberta_config()); });
  };
  CHECK_THAT(refused({a, smaller}, combination::linear), Contains("is not of the shape of") && Contains("cat takes"));
  CHECK_THAT(refused({scaled_adapter(headless(houlsby()), 1)}, combination::cat), Contains("is no plain low-rank update"));
}

TEST_CASE("the encoder's own tensors move from the encoder's, heads combine where they are over the same labels") {
  auto d = lora();
  d.modules_to_save = {"roberta.embeddings.LayerNorm.bias"};
  const auto a = scaled_adapter(d, 0.1F), b = scaled_adapter(d, 0.2F);
  const auto trunk = graft::open_model(golden + "model/model.safetensors", "roberta");
  CHECK_THROWS_WITH(graft::combine_adapters({a, b}, {1, 1}, combination::linear, roberta_config()), Contains("do not sum up to 1"));
  auto both = graft::combine_adapters({a, b}, {1, 1}, combination::linear, roberta_config(), &trunk);
  const std::string name = d.modules_to_save[0];
  CHECK(both.tensors.values<float>(name)[1] ==
        Approx(a.tensors.values<float>(name)[1] + b.tensors.values<float>(name)[1] - trunk.values<float>(name)[1]));
  graft::combine_heads(both, {a, b}, {0.25, 0.75}, roberta_config());
  CHECK(both.description.labels == a.description.labels);
  CHECK(both.tensors.values<float>("classifier.dense.bias")[2] ==
        Approx(0.25 * a.tensors.values<float>("classifier.dense.bias")[2] + 0.75 * b.tensors.values<float>("classifier.dense.bias")[2]));
  auto renamed = b;
  renamed.description.labels = {"x", "y"};
  CHECK_THROWS_WITH(graft::combine_heads(both, {a, renamed}, {0.5, 0.5}, roberta_config()), Contains("no head over the labels"));
}

TEST_CASE("adapters that differ in anything are not of one shape") {
  const auto refuses = [](graft::model_description a, graft::model_description b) {
    CHECK_THAT(refusal([&] {
                 graft::combine_adapters({made_adapter(roberta_config(), a), made_adapter(roberta_config(), b)}, {0.5, 0.5},
                                         combination::linear, roberta_config());
               }),
               Contains("is not of the shape of"));
  };
  graft::model_description prefix;
  prefix.kind = graft::tuning_kind::prefix;
  prefix.layer_norms_trained = false;
  prefix.prefix = {3, 4, graft::activation::tanh, 0, {}};
  const graft::prefix_options others[] = {{1, 4, graft::activation::tanh, 0, {}},
                                          {3, 2, graft::activation::tanh, 0, {}},
                                          {3, 4, graft::activation::relu, 0, {}},
                                          {3, 4, graft::activation::tanh, 1, {}},
                                          {3, 4, graft::activation::tanh, 0, {1}}};
  for (const auto& other : others) {
    auto d = prefix;
    d.prefix = other;
    refuses(prefix, d);
  }
  refuses(headless(houlsby(4)), headless(houlsby(3)));
  auto scaled = headless(houlsby());
  scaled.adapter.scaling = 2;
  refuses(headless(houlsby()), scaled);
}
