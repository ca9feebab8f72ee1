// A low-rank update inside the weights gives the logits that PyTorch computed with it beside them.

#include "graft/exchange/merge_adapter.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "exchange/material.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/saving.hpp"
#include "support/golden.hpp"
#include "support/random_values.hpp"
#include "support/tiny_folder.hpp"

TEST_CASE("merging a low-rank update changes the weights that it names, and the logits as it does") {
  const std::string golden = std::string(GRAFT_TEST_DIR) + "/golden";
  const auto config = graft::read_encoder_config(golden + "/model/config.json");
  const graft::tensor_source trunk = graft::open_model(golden + "/model/model.safetensors", "roberta");
  const auto expected = graft::read_json(golden + "/exchange/expected.json");
  const auto batches = graft_test::golden_batches(golden + "/model");
  for (const std::string name : {"peft_lora", "peft_lora_pattern"}) {
    INFO(name);
    const auto lora = graft::open_adapter(golden + "/exchange/" + name, config);
    const auto merged = graft::merge_adapter(trunk, graft::merged_tensors(trunk, lora));
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
  CHECK_THROWS_WITH(graft::merge_adapter(trunk, graft::merged_tensors(trunk, adapter)), Catch::Contains("is an adapter, which cannot become part of the weights"));
}

TEST_CASE("weights that an update was merged into are saved as they are, packed or not") {
  const graft_test::temporary_folder folder;
  auto config = graft::read_encoder_config(std::string(GRAFT_TEST_DIR) + "/golden/model/config.json");
  config.num_hidden_layers = 1;
  config.hidden_size = 256;  // a weight is large enough to be read where it lies
  auto model = graft::make_plain_classifier<graft::f32>(config, 2);
  graft_test::randomize(model, 5, false);
  graft::save_everything(model, folder / "trunk.safetensors", {});
  const graft::safetensors_file trunk(folder / "trunk.safetensors");

  const auto merged = graft::merge_adapter(trunk, graft::merged_tensors(trunk, graft_test::made_adapter(config, graft_test::lora())));
  graft::load_trunk(model, merged);
  graft::pack_frozen(model, false, 1);
  graft::save_everything(model, folder / "merged.safetensors", {});
  const graft::safetensors_file saved(folder / "merged.safetensors");
  std::size_t changed = 0;
  for (const auto& [name, info] : merged.tensors()) {
    INFO(name);
    CHECK(saved.values<float>(name) == merged.values<float>(name));
    changed += merged.values<float>(name) != trunk.values<float>(name);
  }
  CHECK(changed == 2);
}

TEST_CASE("an update that makes weights infinite is not merged, and one that is no number not read") {
  const auto config = graft_test::roberta_config();
  const graft::tensor_source trunk = graft::open_model(graft_test::golden + "model/model.safetensors", "roberta");
  const graft_test::copied_folder folder("peft_lora");
  const std::string query = "base_model.model.roberta.encoder.layer.0.attention.self.query.";
  graft_test::overwrite_number(folder / "adapter_model.safetensors", query + "lora_A.weight", 0, 3e38F);
  graft_test::overwrite_number(folder / "adapter_model.safetensors", query + "lora_B.weight", 0, 1e3F);
  CHECK_THROWS_WITH(graft::merge_adapter(trunk, graft::merged_tensors(trunk, graft::open_adapter(folder.path(), config))),
                    Catch::Contains("makes 'roberta.encoder.layer.0.attention.self.query.weight' larger than F32 holds"));
  const std::string name = "base_model.model.roberta.encoder.layer.0.attention.self.query.lora_B.weight";
  graft_test::overwrite_number(folder / "adapter_model.safetensors", name, 1, std::nanf(""));
  CHECK_THAT(folder.refusal(),
             Catch::Contains("adapter_model.safetensors: tensor") && Catch::Contains("lora_B.weight' holds NaN at (0, 1)"));
}
