// A low-rank update inside the weights gives the logits that PyTorch computed with it beside them.

#include "graft/exchange/merge_adapter.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <memory>

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
    CHECK(changed == updates + (lora.has_head() ? 4 : 0));

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
  CHECK_THROWS_WITH(graft::merged_tensors(trunk, adapter), Catch::Contains("is an adapter, which cannot become part of the weights"));
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

  auto lora = graft_test::lora();
  lora.labels.clear();
  const auto merged = graft::merge_adapter(trunk, graft::merged_tensors(trunk, graft_test::made_adapter(config, lora)));
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

TEST_CASE("weights with an update in them, by hand: rows of new lengths, scaled outputs and inputs, a bias of B") {
  using graft::matrix;
  const std::string layer = "roberta.encoder.layer.0.output.dense";
  graft::tensor_source base("base");
  const auto add = [](graft::tensor_source& to, const std::string& name, const matrix<double>& m, bool vector = false) {
    const auto own = std::make_shared<matrix<double>>(m);
    const auto shape = vector ? std::vector<graft::index>{m.size()} : std::vector<graft::index>{m.rows(), m.cols()};
    to.add(name, {graft::dtype::f64, shape, std::as_bytes(std::span(own->data(), static_cast<std::size_t>(own->size())))});
    to.keep_alive(own);
  };
  const auto made = [](graft::index rows, graft::index cols, const std::vector<double>& values) {
    return matrix<double>(Eigen::Map<const matrix<double>>(values.data(), rows, cols));
  };
  add(base, layer + ".weight", made(2, 3, {1, 2, 3, 4, 5, 6}));
  add(base, layer + ".bias", made(2, 1, {1, -1}), true);
  const auto merged = [&](const graft::model_description& d, const std::map<std::string, matrix<double>>& parts) {
    graft::adapter_file a{d, graft::tensor_source("update")};
    for (const auto& [name, m] : parts) add(a.tensors, layer + name, m, name == ".lora_B.bias" || name == ".lora_magnitude_vector");
    const auto result = graft::merged_tensors(base, a).tensors;
    const auto bias = result.contains(layer + ".bias") ? result.values<double>(layer + ".bias") : std::vector<double>{};
    return std::pair(result.values<double>(layer + ".weight"), bias);
  };
  using numbers = std::vector<double>;
  graft::model_description d;
  d.kind = graft::tuning_kind::lora;
  d.lora = {1, 9, {"dense"}, {}, {{layer, 2.0}}};
  const auto a = made(1, 3, {1, 0, -1}), b = made(2, 1, {1, 2});
  CHECK(merged(d, {{".lora_A.weight", a}, {".lora_B.weight", b}}) == std::pair(numbers{3, 2, 1, 8, 5, 2}, numbers{}));
  CHECK_FALSE(graft::needs_merging(d));
  d.lora.bias = true;
  CHECK(graft::needs_merging(d));
  CHECK(merged(d, {{".lora_A.weight", a}, {".lora_B.weight", b}, {".lora_B.bias", made(2, 1, {3, 4})}}) ==
        std::pair(numbers{3, 2, 1, 8, 5, 2}, numbers{7, 7}));
  d.lora = {1, 2, {"dense"}, {}, {}, true};
  const auto rows = merged(d, {{".lora_A.weight", made(1, 3, {1, 1, 0})},
                               {".lora_B.weight", made(2, 1, {0.5, -2})},
                               {".lora_magnitude_vector", made(2, 1, {1, 12})}});
  const double first = std::sqrt(4 + 9 + 9);  // rows are (2, 3, 3) and (0, 1, 6)
  const numbers expected{2 / first, 3 / first, 3 / first, 0, 12 / std::sqrt(37), 72 / std::sqrt(37)};
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(rows.first[i] == Approx(expected[i]).epsilon(1e-14));
  CHECK(rows.second.empty());
  d.lora.dora_outputs = true;  // lengths of (1.5, 2.5, 3) and (2, 3, 6), and the bias with them
  const auto outputs = merged(d, {{".lora_A.weight", made(1, 3, {1, 1, 0})},
                                  {".lora_B.weight", made(2, 1, {0.5, -2})},
                                  {".lora_magnitude_vector", made(2, 1, {1, 12})}});
  const double short_row = std::sqrt(17.5);
  const numbers of_outputs{2 / short_row, 3 / short_row, 3 / short_row, 0, 12.0 / 7, 72.0 / 7};
  for (std::size_t i = 0; i < of_outputs.size(); ++i) CHECK(outputs.first[i] == Approx(of_outputs[i]).epsilon(1e-14));
  CHECK(outputs.second[0] == Approx(1 / short_row));
  CHECK(outputs.second[1] == Approx(-12.0 / 7));
  d.kind = graft::tuning_kind::ia3;
  d.ia3 = {{"dense"}, {}};
  CHECK(merged(d, {{".ia3_l", made(2, 1, {2, -1})}}) == std::pair(numbers{2, 4, 6, -4, -5, -6}, numbers{2, 1}));
  d.ia3 = {{"dense"}, {"dense"}};
  CHECK(merged(d, {{".ia3_l", made(1, 3, {2, -1, 0})}}) == std::pair(numbers{2, -2, 0, 8, -5, 0}, numbers{}));
}

TEST_CASE("an update that makes weights infinite is not merged, and one that is no number not read") {
  const auto config = graft_test::roberta_config();
  const graft::tensor_source trunk = graft::open_model(graft_test::golden + "model/model.safetensors", "roberta");
  const graft_test::copied_folder folder("peft_lora");
  const std::string query = "base_model.model.roberta.encoder.layer.0.attention.self.query.";
  graft_test::overwrite_number(folder / "adapter_model.safetensors", query + "lora_A.weight", 0, 3e38F);
  graft_test::overwrite_number(folder / "adapter_model.safetensors", query + "lora_B.weight", 0, 1e3F);
  CHECK_THROWS_WITH(graft::merged_tensors(trunk, graft::open_adapter(folder.path(), config)),
                    Catch::Contains("makes 'roberta.encoder.layer.0.attention.self.query.weight' larger than F32 holds"));
  const std::string name = "base_model.model.roberta.encoder.layer.0.attention.self.query.lora_B.weight";
  graft_test::overwrite_number(folder / "adapter_model.safetensors", name, 1, std::nanf(""));
  CHECK_THAT(folder.refusal(),
             Catch::Contains("adapter_model.safetensors: tensor") && Catch::Contains("lora_B.weight' holds NaN at (0, 1)"));
}
