// What other programs saved, as members of one mix: with the weight on one, the mix gives the answers of that program.

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "graft/core/json.hpp"
#include "graft/exchange/mixed_member.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "graft/predict/predictor.hpp"
#include "graft/train/tunable_model.hpp"
#include "support/shared.hpp"

namespace {

namespace fs = std::filesystem;
const std::string peers = GRAFT_TEST_DIR "/golden/peers/";

struct peer {
  std::string name, path;
  graft::adapter_file file;
};

/// A tensor of NUMBERS.
void add_numbers(graft::tensor_source& to, const std::string& name, const std::vector<float>& numbers) {
  const auto own = std::make_shared<std::vector<float>>(numbers);
  to.add(name, {graft::dtype::f32, {static_cast<graft::index>(own->size())}, std::as_bytes(std::span(*own))});
  to.keep_alive(own);
}

}  // namespace

TEST_CASE("a mix of what AdapterHub's library and PEFT saved gives each one's answers where it has all the weight") {
  const std::set<std::string> tried{"peft/lora_rank_pattern",
                                    "peft/lora_lora_bias",
                                    "peft/dora",
                                    "adapterhub/dora",
                                    "peft/ia3",
                                    "adapterhub/lora_intermediate_and_output",
                                    "adapterhub/lora_leave_out",
                                    "adapterhub/lora_use_gating",
                                    "adapterhub/ia3_output_and_leave_out",
                                    "adapterhub/prefix_tuning_use_gating",
                                    "adapterhub/prefix_tuning_flat",
                                    "adapterhub/seq_bn_inv",
                                    "adapterhub/double_seq_bn_inv",
                                    "adapterhub/fusion",
                                    "adapterhub/fusion_of_invertible_adapters",
                                    "adapterhub/fusion_of_parallel_adapters",
                                    "adapterhub/fusion_of_general_adapters",
                                    "adapterhub/double_seq_bn",
                                    "adapterhub/seq_bn",
                                    "adapterhub/scaled_par_bn",
                                    "adapterhub/use_gating_original_ln_before",
                                    "adapterhub/scaling_channel",
                                    "adapterhub/reduction_factor_by_layer"};
  const graft::trunk_files files{peers + "bases/roberta/model.safetensors", peers + "bases/roberta/config.json", ""};
  const auto config = graft::read_trunk_config(files);
  const auto trunk = graft::open_model(files.model_path, config.model_type);
  std::vector<peer> all;
  std::vector<graft::mixed_member> members;
  graft::model_description what;
  what.kind = graft::tuning_kind::multi_adapter;
  what.labels = {"no", "yes"};
  for (const std::string& path : tried) {
    INFO(path);
    const std::string name = "m" + std::to_string(all.size());
    all.push_back({name, peers + path, graft::open_tuned(peers + path, config)});
    members.push_back(graft::as_member(name, all.back().file, trunk));
    what.mix.adapters.push_back(members.back().is);
  }
  graft::tunable_model model(files, what, {.seed = 1, .precision = graft::precision::f32});
  for (const auto& one : members) model.load_mixed_adapter(one.is.name, one.tensors, one.norms);
  const graft_test::temporary_folder folder;
  model.save_tuned(folder / "mix.safetensors");
  const auto saved = graft::open_tuned(folder / "mix.safetensors", config);

  std::vector<graft::example> rows;
  std::istringstream lines(graft::read_file(peers + "rows.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto row = graft::json::parse(line);
    rows.emplace_back();
    for (const auto& id : row["input_ids"]) rows.back().input_ids.push_back(id);
  }
  for (std::size_t k = 0; k < all.size(); ++k) {
    INFO(all[k].path);
    graft::adapter_file one{saved.description, graft::tensor_source("one")};
    const graft::head_names head(config);
    one.tensors.add_all(saved.tensors, [&](const std::string& name) {
      return head.is_head(name) || name.ends_with(".weighted_sum.weights") ? std::nullopt : std::optional(name);
    });
    one.tensors.add_all(all[k].file.tensors,
                        [&](const std::string& name) { return head.is_head(name) ? std::optional(name) : std::nullopt; });
    std::vector<float> weights(all.size() + 1);
    weights[k] = 40;
    add_numbers(one.tensors, "roberta.encoder.layer.0.attention.output.multi_adapter.weighted_sum.weights", weights);
    one.description.head = all[k].file.description.head;
    one.description.labels = all[k].file.description.labels;
    const std::string path = folder / (all[k].name + ".safetensors");
    graft::write_adapter(path, one);
    const graft::predictor predictor(files, path, {.precision = graft::precision::f32});
    const auto answers = predictor.predict(rows);
    const auto expected = graft::read_json(all[k].path + "/case.json")["answers"];
    REQUIRE(answers.size() == expected.size());
    for (std::size_t r = 0; r < answers.size(); ++r) {
      for (std::size_t i = 0; i < expected[r].size(); ++i) {
        CHECK(answers[r].probabilities.at(i) == Approx(expected[r][i].get<double>()).margin(1e-5).epsilon(0));
      }
    }
  }
}
