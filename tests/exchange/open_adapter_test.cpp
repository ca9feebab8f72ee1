#include "graft/exchange/open_adapter.hpp"

#include "exchange/material.hpp"

using namespace graft_test;
using Catch::Contains;

TEST_CASE("an adapter is told by what the file or folder holds") {
  const auto kind = [](const std::string& path) { return graft::open_adapter(path, roberta_config()).description.kind; };
  CHECK(kind(exchange + "adapterhub_double") == "adapter");
  CHECK(kind(exchange + "peft_lora") == "lora");
  CHECK(kind(exchange + "original") == "adapter");
  CHECK(kind(exchange + "original/model_stream.p") == "adapter");
  CHECK(kind(golden + "model/adapter_rte.safetensors") == "adapter");
}

TEST_CASE("graft's own adapters come back as they were, given as file or folder") {
  const temporary_folder folder;
  auto trained = houlsby();
  trained.layer_norms_trained = true;
  trained.trunk_fingerprint = "0123456789abcdef";
  auto behind = houlsby(2);
  behind.placement = graft::adapter_placement::pfeiffer;
  behind.adapter_hidden_act = graft::activation::relu;
  for (const auto& config : {roberta_config(), bert_config()}) {
    for (const auto& d : {trained, behind, lora()}) {
      const auto a = made_adapter(config, d);
      graft::write_adapter(folder / "model.safetensors", a);
      for (const auto& path : {folder.path(), folder / "model.safetensors"}) {
        const auto back = graft::open_adapter(path, config);
        CHECK(graft::to_metadata(back.description) == graft::to_metadata(d));
        check_same(a.tensors, back.tensors);
      }
    }
  }
}

TEST_CASE("what holds no single adapter is refused") {
  const temporary_folder folder;
  const auto message = [&](const std::string& path) { return refusal([&] { graft::open_adapter(path, roberta_config()); }); };
  CHECK_THAT(message(folder / "nowhere"), Contains("nowhere: is not there"));
  CHECK_THAT(message(folder.path()), Contains("none of adapter_config.json, model.safetensors, model.p"));
  CHECK_THAT(message(golden + "model/model.safetensors"), Contains("holds no adapter"));
  auto a = made_adapter(roberta_config(), houlsby());
  a.description.kind = "head";
  graft::write_adapter(folder / "model.safetensors", a);
  CHECK_THAT(message(folder.path()), Contains("is of kind \"head\""));
  graft::write_adapter(folder / "model.safetensors", made_adapter(roberta_config(), houlsby(), "classifier.dense.b"));
  CHECK_THAT(message(folder.path()), Contains("no tensor 'classifier.dense.bias'"));
}
