// A low-rank update inside the weights gives the logits that PyTorch computed with it beside them.

#include "graft/exchange/merge_lora.hpp"

#include <catch2/catch.hpp>

#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "support/golden.hpp"

TEST_CASE("merging a low-rank update changes the weights that it names, and the logits as it does") {
  const std::string golden = std::string(GRAFT_TEST_DIR) + "/golden";
  const auto config = graft::read_encoder_config(golden + "/model/config.json");
  const graft::tensor_source trunk = graft::open_model(golden + "/model/model.safetensors", "roberta");
  const auto expected = graft::read_json(golden + "/exchange/expected.json");
  const auto batches = graft_test::golden_batches(golden + "/model");
  for (const std::string name : {"peft_lora", "peft_lora_pattern"}) {
    INFO(name);
    const auto lora = graft::open_adapter(golden + "/exchange/" + name, config);
    const auto merged = graft::merge_lora(trunk, lora);
    CHECK(merged.tensors().size() == trunk.tensors().size());
    std::size_t changed = 0, updates = 0;
    for (const auto& [tensor, info] : trunk.tensors()) changed += merged.values<float>(tensor) != trunk.values<float>(tensor);
    for (const auto& [tensor, info] : lora.tensors.tensors()) updates += tensor.ends_with(".lora_A.weight");
    CHECK(changed == updates);

    auto model = graft::make_plain_classifier<graft::f64>(config, 2);
    graft::load_trunk(model, merged);
    graft::load_parameters(model, lora.has_head() ? lora.tensors : trunk, [](const std::string& parameter) {
      return parameter.starts_with("classifier.") ? std::optional(parameter) : std::nullopt;
    });
    graft::context ctx;
    for (std::size_t b = 0; b < batches.size(); ++b) {
      graft::matrix<double> logits(batches[b].size(), 2);
      model.forward(batches[b], logits, nullptr, ctx);
      for (graft::index i = 0; i < logits.rows(); ++i) {
        for (graft::index c = 0; c < 2; ++c) {
          CHECK(logits(i, c) ==
                Approx(expected[name][b][static_cast<std::size_t>(i)][static_cast<std::size_t>(c)].get<double>()).margin(2e-6));
        }
      }
    }
  }
  const auto adapter = graft::open_adapter(golden + "/exchange/original/model.p", config);
  CHECK_THROWS_WITH(graft::merge_lora(trunk, adapter), Catch::Contains("is an adapter, which cannot become part of the weights"));
}
