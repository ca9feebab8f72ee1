// Parity from outside: the program writes the losses that PyTorch computed into loss_train.zlog, for every variant of every golden.

#include <catch2/catch.hpp>
#include <cmath>

#include "graft/encoder/config.hpp"
#include "graft/io/safetensors.hpp"
#include "program/training_material.hpp"

namespace {

using graft_test::run_graft;

std::vector<std::string> variant_flags(const graft::json& variant, const std::string& golden, const std::string& folder) {
  const std::string name = variant["name"];
  if (name == "plain") return {"--tune", "full"};
  if (name == "single") return {};
  if (name == "pfeiffer") return {"--adapter_placement", "pfeiffer", "--adapter_hidden_act", "relu"};
  if (name == "lora") {
    return {"--adapter_method", "lora", "--lora_r", std::to_string(variant["r"].get<int>()), "--lora_alpha", variant["alpha"].dump()};
  }
  graft::ordered_json adapters;
  for (const auto& adapter : variant["adapters"]) {
    adapters[adapter.get<std::string>()] = golden + "/adapter_" + adapter.get<std::string>() + ".safetensors";
  }
  graft::write_file(folder + "/adapters.json", adapters.dump());
  return {
      "--adapter_weights_path", folder + "/adapters.json",         "--adapter_ft_mode",         variant["ft"].get<std::string>(),
      "--adapter_weight_mode",  variant.value("wmode", "softmax"), "--adapter_num_weight_sets", std::to_string(variant.value("sets", 1))};
}

void check_golden_folder(const std::string& golden) {
  double worst[2] = {0, 0};
  const std::string longest = std::to_string(graft::read_encoder_config(golden + "/config.json").max_sequence_length());
  for (const auto& entry : std::filesystem::directory_iterator(golden)) {
    if (!std::filesystem::exists(entry.path() / "golden.json")) continue;
    const graft_test::temporary_folder folder;
    const auto expected = graft::read_json((entry.path() / "golden.json").string());
    const std::string name = expected["variant"]["name"];
    const std::string init = (entry.path() / "init.safetensors").string();
    const graft::safetensors_file tensors(init);
    graft::index size = 8;
    for (const auto& [tensor, info] : tensors.tensors()) {
      if (tensor.ends_with("down_project.weight")) size = info.shape[0];
    }
    const bool multi = name.starts_with("multi");
    const auto batch = graft::read_json(golden + "/input.json")["batches"][0]["input_ids"].size();
    for (const std::string precision : {"f32", "f64"}) {
      INFO(entry.path().string() << " in " << precision);
      const std::string output = folder / precision;
      const auto result = run_graft(graft_test::with({multi ? "train-multi-adapter" : "train-adapter",
                                                      "--task_config_path",
                                                      graft_test::write_golden_task(golden, folder.path()),
                                                      "--model_path",
                                                      golden + "/model.safetensors",
                                                      "--output_dir",
                                                      output,
                                                      "--do_train",
                                                      "--no_shuffle",
                                                      "--dropout",
                                                      "0",
                                                      "--adapter_init_path",
                                                      init,
                                                      "--adapter_size",
                                                      std::to_string(size),
                                                      "--train_batch_size",
                                                      std::to_string(batch),
                                                      "--max_steps",
                                                      std::to_string(expected["steps"].size()),
                                                      "--learning_rate",
                                                      "1e-3",
                                                      "--warmup_steps",
                                                      "2",
                                                      "--max_seq_length",
                                                      longest,
                                                      "--precision",
                                                      precision},
                                                     variant_flags(expected["variant"], golden, folder.path())));
      CHECK(result.err.empty());
      REQUIRE(result.exit_code == 0);
      const auto lines = graft_test::read_log(output, "loss_train");
      REQUIRE(lines.size() == expected["steps"].size());
      double& error = worst[precision == "f64" ? 1 : 0];
      for (std::size_t k = 0; k < lines.size(); ++k) {
        error = std::max(error, std::abs(lines[k]["loss_val"].get<double>() - expected["steps"][k]["loss"].get<double>()));
        CHECK(lines[k]["global_step"] == k + 1);
      }
      if (multi) {
        const auto weights = graft_test::read_log(output, "weights");
        REQUIRE(weights.size() == lines.size() + 1);
        for (const auto& [adapter, value] : expected["steps"].back()["weights"]["layer_00"].items()) {
          CHECK(weights.back()["weights"]["layer_00"][adapter].get<double>() == Approx(value.get<double>()).margin(1e-4));
        }
      }
    }
  }
  WARN(golden << ": worst loss difference " << worst[0] << " in f32, " << worst[1] << " in f64");
  CHECK(worst[0] <= 1e-4);
  CHECK(worst[1] <= 1e-8);
}

}  // namespace

TEST_CASE("the program writes the losses of the project's own goldens") {
  check_golden_folder(graft_test::own_golden());
  check_golden_folder(std::string(GRAFT_TEST_DIR) + "/golden/bert");
}

TEST_CASE("the program writes the losses of nlprunners' goldens") {
  for (const std::string name : {"tiny", "three_adapters", "regression"}) {
    const std::string golden = graft_test::shared_path("golden/" + name);
    if (!golden.empty()) check_golden_folder(golden);
  }
}
