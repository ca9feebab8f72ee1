#include "graft/exchange/nlprunners.hpp"

#include "exchange/material.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/torch_file.hpp"
#include "graft/io/weights.hpp"

using namespace graft_test;
using Catch::Contains;

TEST_CASE("nlprunners' model.p, in both containers, and a plain safetensors file are the same adapter") {
  const graft::safetensors_file expected(golden + "model/adapter_rte.safetensors");
  for (const std::string& path : {exchange + "original/model.p", exchange + "original/model_stream.p", expected.path()}) {
    INFO(path);
    const auto a = graft::read_nlprunners(path, roberta_config());
    CHECK(a.description.kind == graft::tuning_kind::adapter);
    CHECK(a.description.adapter.size == 4);
    CHECK(a.description.adapter.act == graft::activation::gelu);
    CHECK(a.description.adapter.kind == "houlsby");
    CHECK(a.description.layer_norms_trained);
    CHECK(a.description.labels == std::vector<std::string>{"0", "1"});
    CHECK(a.description.output == graft::task_kind::classification);
    check_same(expected, a.tensors);
  }
}

TEST_CASE("a head of which half was saved is left out, a head of one row is a regression") {
  const copied_folder folder("original");
  folder.rewrite("model.p", [](std::string& name, auto&) {
    if (name.starts_with("classifier.out_proj.")) name.clear();
  });
  const auto half = graft::read_nlprunners(folder / "model.p", roberta_config());
  CHECK_FALSE(half.has_head());
  CHECK_FALSE(half.tensors.contains("classifier.dense.weight"));

  auto d = houlsby();
  d.output = graft::task_kind::regression;
  d.labels.clear();
  d.layer_norms_trained = true;
  graft::write_nlprunners(folder / "r.p", made_adapter(roberta_config(), d), roberta_config(), nullptr);
  const auto regression = graft::read_nlprunners(folder / "r.p", roberta_config());
  CHECK(regression.description.output == graft::task_kind::regression);
  CHECK(regression.has_head());
}

TEST_CASE("what is written for nlprunners comes back, with its keys and no others, BERT too") {
  const temporary_folder folder;
  for (const auto& config : {roberta_config(), bert_config()}) {
    auto d = houlsby(3);
    d.layer_norms_trained = true;
    const auto a = made_adapter(config, d);
    graft::write_nlprunners(folder / "model.p", a, config, nullptr);
    check_same(a.tensors, graft::torch_file(folder / "model.p"));
    const auto back = graft::read_nlprunners(folder / "model.p", config);
    check_same(a.tensors, back.tensors);
    CHECK(back.description.adapter.size == 3);
    CHECK(back.description.layer_norms_trained);
    CHECK(back.description.labels.size() == 3);
  }
}

TEST_CASE("LayerNorms that were not trained are written as the trunk's, for which it is needed") {
  const temporary_folder folder;
  const auto config = roberta_config();
  const auto a = made_adapter(config, houlsby());
  CHECK_THAT(refusal([&] { graft::write_nlprunners(folder / "model.p", a, config, nullptr); }), Contains("no encoder to take them from"));
  CHECK_FALSE(std::filesystem::exists(folder / "model.p"));
  const auto trunk = graft::open_weights(golden + "model/model.safetensors");
  graft::write_nlprunners(folder / "model.p", a, config, &trunk);
  const auto back = graft::read_nlprunners(folder / "model.p", config);
  for (const auto& [name, shape] : graft::layer_norm_tensors(config)) CHECK(back.tensors.values<float>(name) == trunk.values<float>(name));
  CHECK(back.tensors.tensors().size() == a.tensors.tensors().size() + 10);
}

TEST_CASE("nlprunners' form refuses adapters that it cannot compute") {
  const temporary_folder folder;
  const auto config = roberta_config();
  const auto message = [&](const graft::model_description& d) {
    return refusal([&] { graft::write_nlprunners(folder / "x.p", made_adapter(config, d), config, nullptr); });
  };
  CHECK_THAT(message(lora()), Contains("is low-rank"));
  auto d = houlsby();
  d.adapter.kind = "pfeiffer";
  CHECK_THAT(message(d), Contains("is pfeiffer, of size") && Contains("houlsby"));
  d = houlsby();
  d.adapter.leave_out = {0};
  CHECK_THAT(message(d), Contains("in all layers but 0, nlprunners' are houlsby, unscaled, in all layers"));
  d = houlsby();
  d.adapter.act = graft::activation::relu;
  CHECK_THAT(message(d), Contains("has activation relu"));
}

TEST_CASE("wrappers around every name are taken off") {
  const auto plain = graft::read_nlprunners(exchange + "original/model.p", roberta_config());
  for (const std::string wrapper : {"module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."}) {
    const copied_folder folder("original");
    folder.rewrite("model.p", [&](std::string& name, auto&) { name.insert(0, wrapper); });
    check_same(plain.tensors, graft::read_nlprunners(folder / "model.p", roberta_config()).tensors);
    folder.rewrite("model.p", [&](std::string& name, auto&) { name.erase(0, name.find("LayerNorm") == name.npos ? 0 : wrapper.size()); });
    CHECK_THAT(refusal([&] { graft::read_nlprunners(folder / "model.p", roberta_config()); }), Contains("tensor"));
  }
}

TEST_CASE("files that are no adapter, or lack, bend or add a tensor, are refused with its name and both shapes") {
  const std::string site = "roberta.encoder.layer.1.output.";
  const auto message = [&](const std::function<void(std::string&, std::vector<graft::index>&)>& change) {
    const copied_folder folder("original");
    folder.rewrite("model.p", change);
    return refusal([&] { graft::read_nlprunners(folder / "model.p", roberta_config()); });
  };
  CHECK(message([](auto&, auto&) {}).empty());
  CHECK_THAT(message([&](std::string& name, auto&) { name = name == site + "adapter.up_project.bias" ? "" : name; }),
             Contains("no tensor '" + site + "adapter.up_project.bias'") && Contains("(8)"));
  CHECK_THAT(message([&](std::string& name, auto& shape) {
               shape = name == site + "adapter.up_project.weight" ? std::vector<graft::index>{4, 8} : shape;
             }),
             Contains("'" + site + "adapter.up_project.weight' has shape (4, 8), (8, 4) was expected"));
  CHECK_THAT(message([&](std::string& name, auto&) { name = name == site + "LayerNorm.bias" ? site + "dense.bias" : name; }),
             Contains("no tensor '" + site + "LayerNorm.bias'"));
  CHECK_THAT(message([](std::string& name, auto&) { name = name.starts_with("roberta.pooler") ? "extra" + name : name; }),
             Contains("holds tensor 'extraroberta.pooler.dense.bias' of shape (8)"));
  CHECK_THAT(message([](std::string& name, auto&) { name = name.find(".adapter.") == name.npos ? name : ""; }),
             Contains("holds no adapter"));
  CHECK_THAT(refusal([] { graft::read_nlprunners(exchange + "original/model.p", bert_config()); }), Contains("tensor"));
}
