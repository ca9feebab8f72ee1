// Mixes of whatever is tuned around an encoder: with the weight on one member, the mix is that member alone.

#include <catch2/catch.hpp>
#include <set>

#include "graft/exchange/merge_adapter.hpp"
#include "graft/exchange/mixed_member.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/lora.hpp"
#include "graft/model/prefix.hpp"
#include "model/tiny_model.hpp"
#include "support/random_values.hpp"

using graft::f64;
using graft::tensor_source;

namespace {

/// Every tensor of MODEL, which is to outlive them.
template <class M>
tensor_source tensors_of(M& model) {
  tensor_source all("model");
  model.for_each_parameter([&](auto& p) {
    all.add(p.name, {graft::dtype::f64, p.shape(), std::as_bytes(std::span(p.value().data(), static_cast<std::size_t>(p.size())))});
  });
  return all;
}

/// MODEL with TRUNK's encoder and head; what else it has is random.
template <class M>
M around(M model, const tensor_source& trunk, std::uint64_t seed) {
  graft_test::randomize(model, seed, false, 0.4);
  graft::load_by_name(model, trunk);
  return model;
}

/// Random numbers under the names of SHAPES.
tensor_source random_tensors(const graft::tensor_shapes& shapes, std::uint64_t seed) {
  tensor_source all("random");
  for (const auto& [name, shape] : shapes) {
    const graft::index rows = shape[0], cols = shape.size() > 1 ? shape[1] : 1;
    const auto numbers = std::make_shared<graft::matrix<double>>(graft_test::random_matrix<double>(rows, cols, seed++));
    all.add(name, {graft::dtype::f64, shape, std::as_bytes(std::span(numbers->data(), static_cast<std::size_t>(numbers->size())))});
    all.keep_alive(numbers);
  }
  return all;
}

template <class M>
graft::matrix<double> logits(const M& model) {
  const auto b = graft_test::tiny_batch({4, 1, 6});
  graft::context ctx;
  graft::matrix<double> z(b.size(), model.head.classes());
  model.forward(b, z, nullptr, ctx);
  return z;
}

}  // namespace

TEST_CASE("a mix whose weight is on one member is this member alone") {
  const auto c = graft_test::tiny_config();
  auto plain = graft::make_plain_classifier<f64>(c, 3);
  graft_test::randomize(plain, 1, false, 0.4);
  const tensor_source trunk = tensors_of(plain);

  graft::lora_options lora{2, 3, {"query", "value", "output.dense"}, {{"roberta.encoder.layer.1.attention.self.query", 3}}, {}};
  auto with_lora = graft::make_plain_classifier<f64>(c, 3);
  graft::add_lora(with_lora, lora);
  with_lora = around(std::move(with_lora), trunk, 101);
  const graft::prefix_options prefix{.length = 3, .bottleneck = 4, .gates = 1, .leave_out = {1}};
  auto with_prefix = graft::make_plain_classifier<f64>(c, 3);
  graft::add_prefix(with_prefix, prefix);
  with_prefix = around(std::move(with_prefix), trunk, 201);
  const graft::adapter_options houlsby{3}, general{2, graft::activation::relu, "general", 1, R"({"use_gating": true})"};
  auto with_houlsby = around(graft::make_adapter_classifier<f64>(c, 3, houlsby), trunk, 301);
  auto with_general = around(graft::make_adapter_classifier<f64>(c, 3, general), trunk, 401);

  graft::multi_adapter_options o;
  std::vector<graft::mixed_member> members;
  std::vector<graft::matrix<double>> alone;
  const auto add = [&](const std::string& name, auto& model, graft::tuning_kind kind, auto&& describe) {
    graft::adapter_file file{{}, tensors_of(model)};
    file.description.kind = kind;
    file.description.layer_norms_trained = false;
    describe(file.description);
    members.push_back(graft::as_member(name, file, trunk));
    o.adapters.push_back(members.back().is);
    alone.push_back(logits(model));
  };
  add("updates", with_lora, graft::tuning_kind::lora, [&](auto& d) { d.lora = lora; });
  graft::lora_options gated{2, 2, {"key", "dense"}};
  gated.gates = true;
  auto with_gates = graft::make_plain_classifier<f64>(c, 3);
  graft::add_lora(with_gates, gated);
  with_gates = around(std::move(with_gates), trunk, 801);
  add("gated", with_gates, graft::tuning_kind::lora, [&](auto& d) { d.lora = gated; });
  add("houlsby", with_houlsby, graft::tuning_kind::adapter, [&](auto& d) { d.adapter = houlsby; });
  add("prefix", with_prefix, graft::tuning_kind::prefix, [&](auto& d) { d.prefix = prefix; });
  add("general", with_general, graft::tuning_kind::adapter, [&](auto& d) { d.adapter = general; });
  const graft::adapter_options invertible{2, graft::activation::relu, "general", 1, R"({"inv_adapter": "nice", "mh_adapter": false})"};
  auto with_invertible = around(graft::make_adapter_classifier<f64>(c, 3, invertible), trunk, 601);
  add("invertible", with_invertible, graft::tuning_kind::adapter, [&](auto& d) { d.adapter = invertible; });
  graft::multi_adapter_options fusion;
  fusion.mode = graft::mixing_mode::fusion;
  fusion.include_base = false;
  fusion.adapters = {{"a", invertible}, {"b", {2, graft::activation::gelu, "parallel", 2}}};
  auto fused = around(graft::make_multi_adapter_classifier<f64>(c, 3, fusion, 1), trunk, 701);
  add("fused", fused, graft::tuning_kind::multi_adapter, [&](auto& d) { d.mix = fusion; });
  const auto add_merged = [&](const std::string& name, graft::model_description d,
                              graft::tensor_shapes (*shapes)(const graft::encoder_config&, const graft::model_description&, graft::index)) {
    const graft::adapter_file file{d, random_tensors(shapes(c, d, 3), 501 + members.size())};
    members.push_back(graft::as_member(name, file, trunk));
    o.adapters.push_back(members.back().is);
    auto model = graft::make_plain_classifier<f64>(c, 3);
    if (d.kind == graft::tuning_kind::ia3 && d.ia3.gates) graft::add_gates(model, d.ia3.targets);
    model = around(std::move(model), trunk, 1);
    graft::load_by_name(model, graft::merged_tensors(trunk, file).tensors);
    alone.push_back(logits(model));
  };
  graft::model_description d;
  d.kind = graft::tuning_kind::ia3;
  d.ia3 = {{"key", "value", "output.dense"}, {"output.dense"}};
  add_merged("ia3", d, graft::ia3_tensors);
  d.ia3.gates = true;
  add_merged("gated_ia3", d, graft::ia3_tensors);
  d.kind = graft::tuning_kind::lora;
  d.lora = {2, 3, {"query", "intermediate.dense", "output.dense"}};
  d.lora.dora = true;
  add_merged("dora", d, graft::lora_tensors);
  d.lora.bias = d.lora.dora_outputs = true;
  add_merged("their_dora", d, graft::lora_tensors);
  d.lora.dora = d.lora.dora_outputs = false;
  add_merged("bias", d, graft::lora_tensors);
  alone.push_back(logits(plain));

  for (const auto mode : {graft::mixing_mode::softmax, graft::mixing_mode::gates}) {
    o.mode = mode;
    auto mix = graft::make_multi_adapter_classifier<f64>(c, 3, o, -1);
    graft::load_by_name(mix, trunk);
    graft::load_trunk(mix, trunk);
    for (const auto& one : members) graft::load_mixed_adapter(mix, one.is.name, one.tensors, one.norms);
    for (const bool packed : {false, true}) {
      for (std::size_t k = 0; k < alone.size(); ++k) {
        INFO("member " << k << ", packed " << packed);
        for (auto& l : mix.trunk.layers) {
          l.attention_site.mix->v.edit().setConstant(mode == graft::mixing_mode::gates ? -40 : 0);
          l.attention_site.mix->v.edit()(0, static_cast<graft::index>(k)) = 40;
        }
        if (packed) graft::pack_frozen(mix, false, 1);
        CHECK(graft_test::largest_difference(logits(mix), alone[k]) <= 1e-11);
      }
    }
    for (auto& l : mix.trunk.layers) l.attention_site.mix->v.edit().setZero();
    for (const auto& one : alone) CHECK(graft_test::largest_difference(logits(mix), one) > 1e-3);
  }
}

TEST_CASE("so it is where attention is told of distances") {
  for (const std::string name : {"mpnet", "deberta-v2"}) {
    INFO(name);
    graft::encoder_config c = graft_test::tiny_config();
    c.model_type = name;
    c.type_vocab_size = 0;
    c.relative_buckets = name == "mpnet" ? 8 : 4;
    if (name == "deberta-v2") {
      c.max_relative_positions = 6;
      c.distance_keys = c.distance_queries = c.distances_normalized = true;
      c.position_table = false;
    }
    auto plain = graft::make_plain_classifier<f64>(c, 3);
    graft_test::randomize(plain, 1, false, 0.4);
    const tensor_source trunk = tensors_of(plain);
    const graft::lora_options lora{2, 3, {"query", "key"}};
    const graft::prefix_options prefix{.length = 3, .bottleneck = 0};
    auto with_lora = graft::make_plain_classifier<f64>(c, 3), with_prefix = graft::make_plain_classifier<f64>(c, 3);
    graft::add_lora(with_lora, lora);
    with_lora = around(std::move(with_lora), trunk, 101);
    graft::multi_adapter_options o;
    o.adapters.push_back({"updates", {}, graft::tuning_kind::lora, lora});
    if (name == "mpnet") {
      graft::add_prefix(with_prefix, prefix);
      with_prefix = around(std::move(with_prefix), trunk, 201);
      o.adapters.push_back({"prefix", {}, graft::tuning_kind::prefix, {}, {}, prefix});
    }
    auto mix = graft::make_multi_adapter_classifier<f64>(c, 3, o, 1);
    graft::load_by_name(mix, trunk);
    graft::load_trunk(mix, trunk);
    graft::load_mixed_adapter(mix, "updates", tensors_of(with_lora), trunk);
    if (name == "mpnet") graft::load_mixed_adapter(mix, "prefix", tensors_of(with_prefix), trunk);
    std::vector<graft::matrix<double>> alone{logits(with_lora)};
    if (name == "mpnet") alone.push_back(logits(with_prefix));
    alone.push_back(logits(plain));
    for (const bool packed : {false, true}) {
      for (std::size_t k = 0; k < alone.size(); ++k) {
        INFO("member " << k << ", packed " << packed);
        auto& v = mix.trunk.layers[0].attention_site.mix->v;
        v.edit().setZero();
        v.edit()(0, static_cast<graft::index>(k)) = 40;
        if (packed) graft::pack_frozen(mix, false, 1);
        CHECK(graft_test::largest_difference(logits(mix), alone[k]) <= 1e-11);
      }
    }
    CHECK(graft_test::largest_difference(alone[0], alone.back()) > 1e-3);
  }
  auto c = graft_test::tiny_config();
  c.model_type = "deberta-v2";
  graft::multi_adapter_options o;
  o.adapters.push_back({"prefix", {}, graft::tuning_kind::prefix});
  CHECK_THROWS_WITH(graft::make_multi_adapter_classifier<f64>(c, 3, o, 1), Catch::Contains("prefixes are not computed in a deberta-v2"));
}

TEST_CASE("a mix moves its weights to the member whose answers are asked for, be it an adapter or a low-rank update") {
  const auto c = graft_test::tiny_config();
  auto plain = graft::make_plain_classifier<f64>(c, 3);
  graft_test::randomize(plain, 1, false, 0.4);
  const tensor_source trunk = tensors_of(plain);
  graft::adapter_file files[] = {{{}, tensor_source("adapter")}, {{}, tensor_source("lora")}};
  files[0].description.kind = graft::tuning_kind::adapter;
  files[0].description.adapter = {3};
  files[0].description.layer_norms_trained = false;
  files[1].description.kind = graft::tuning_kind::lora;
  files[1].description.lora = {2, 4, {"query", "value", "intermediate.dense"}};
  auto adapter = around(graft::make_adapter_classifier<f64>(c, 3, files[0].description.adapter), trunk, 301);
  auto lora = graft::make_plain_classifier<f64>(c, 3);
  graft::add_lora(lora, files[1].description.lora);
  lora = around(std::move(lora), trunk, 101);
  files[0].tensors = tensors_of(adapter);
  files[1].tensors = tensors_of(lora);

  graft::multi_adapter_options o;
  std::vector<graft::mixed_member> members;
  for (const auto& file : files) {
    members.push_back(graft::as_member(file.tensors.path() + std::to_string(members.size()), file, trunk));
    o.adapters.push_back(members.back().is);
  }
  for (const graft::index wanted : {0, 1}) {
    auto mix = graft::make_multi_adapter_classifier<f64>(c, 3, o, 1);
    graft::load_by_name(mix, trunk);
    graft::load_trunk(mix, trunk);
    for (const auto& one : members) graft::load_mixed_adapter(mix, one.is.name, one.tensors, one.norms);
    graft::tune_mix(mix, graft::multi_adapter_ft_mode::base);
    auto b = graft_test::tiny_batch({4, 1, 6, 3, 5, 2, 7, 4});
    graft::context ctx;
    const auto answers = [&](const auto& model) {
      graft::matrix<double> z(b.size(), 3);
      model.forward(b, z, nullptr, ctx);
      return z;
    };
    const graft::matrix<double> asked = wanted == 0 ? answers(adapter) : answers(lora);
    typename decltype(mix)::trace trace;
    auto& v = mix.trunk.layers[0].attention_site.mix->v;
    for (int step = 0; step < 60; ++step) {  // down the gradient of |z - asked|^2 / 2, a tenth at a time
      graft::matrix<double> z(b.size(), 3);
      mix.forward(b, z, &trace, ctx);
      mix.backward(graft::matrix<double>(z - asked), b, trace, ctx);
      v.edit() -= 0.1 * v.gradient().normalized();
      mix.for_each_parameter([](auto& p) {
        if (p.has_gradient()) p.gradient().setZero();
      });
    }
    graft::matrix<double> w(1, 3);
    mix.trunk.layers[0].attention_site.mix->forward(w);
    INFO("asked for " << wanted << ", weights " << w);
    CHECK(w(0, wanted) > 0.8);
  }
}

TEST_CASE("a copy of a model answers as the model, and nothing done to it changes the model") {
  const auto holds = [](auto& model) {
    graft_test::randomize(model, 1, true, 0.4);
    const auto before = logits(model);
    auto copy = model;
    std::set<const void*> ours, copied;
    model.for_each_parameter([&](auto& p) { ours.insert(&p); });
    copy.for_each_parameter([&](auto& p) { copied.insert(&p); });
    CHECK(logits(copy) == before);
    copy.for_each_parameter([](auto& p) { p.edit() *= 0.9; });
    const auto changed = logits(copy);
    CHECK(logits(model) == before);
    CHECK(graft_test::largest_difference(changed, before) > 1e-3);
    model.for_each_parameter([](auto& p) { p.edit().setZero(); });
    CHECK(logits(copy) == changed);
    CHECK(copied.size() == ours.size());
    for (const void* p : copied) CHECK(ours.count(p) == 0);
  };
  graft::encoder_config c = graft_test::tiny_config();
  const graft::prefix_options prefix{.length = 3, .bottleneck = 4};
  graft::multi_adapter_options o;
  o.adapters.push_back({"houlsby", {3}});
  o.adapters.push_back({"updates", {}, graft::tuning_kind::lora, {2, 3, {"query", "output.dense"}}});
  o.adapters.push_back({"prefix", {}, graft::tuning_kind::prefix, {}, {}, prefix});
  o.adapters.push_back({"invertible", {2, graft::activation::relu, "general", 1, R"({"inv_adapter": "nice"})"}});
  auto mix = graft::make_multi_adapter_classifier<f64>(c, 3, o, 1);
  holds(mix);
  auto with_prefix = graft::make_plain_classifier<f64>(c, 3);
  graft::add_prefix(with_prefix, prefix);
  holds(with_prefix);
  c.model_type = "mpnet";
  c.type_vocab_size = 0;
  c.relative_buckets = 8;
  auto mpnet = graft::make_plain_classifier<f64>(c, 3);
  holds(mpnet);
}
