// Mixes of whatever is read: adapters, LoRA, DoRA, IA3, prefixes, ours and other programs', in one run.

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/io/safetensors.hpp"
#include "program/training_material.hpp"

namespace {

/// A task for the tiny encoder of tests/golden/peers.
std::string write_peers_task(const std::string& folder) {
  std::string rows;
  const std::string all = graft::read_file(GRAFT_TEST_DIR "/golden/peers/rows.jsonl");
  std::size_t line = 0;
  for (std::size_t at = 0; at < all.size(); at = all.find('\n', at) + 1) {
    auto row = graft::json::parse(all.substr(at, all.find('\n', at) - at));
    row["label"] = line++ % 2 == 0 ? "no" : "yes";
    rows += row.dump() + "\n";
  }
  graft::write_file(folder + "/rows.jsonl", rows);
  graft::json task{{"task", "custom"}, {"name", "rows"}, {"kind", "classification"}, {"labels", {"no", "yes"}}};
  for (const char* split : {"train", "val", "test"}) task["paths"][split] = folder + "/rows.jsonl";
  graft::write_file(folder + "/task.json", task.dump());
  return folder + "/task.json";
}

}  // namespace

TEST_CASE("a mix of adapters, LoRA, DoRA, IA3 and prefixes is trained, answers, goes on to the same bytes, and is saved whole") {
  using graft_test::run_graft;
  using graft_test::with;
  namespace fs = std::filesystem;
  const graft_test::temporary_folder folder;
  const std::string peers = GRAFT_TEST_DIR "/golden/peers/", task = write_peers_task(folder.path());
  const std::vector<std::string> model{"--model_path", peers + "bases/roberta/model.safetensors", "--model_config_path",
                                       peers + "bases/roberta/config.json"};
  const auto run = [&](const std::string& command, const std::string& output, std::vector<std::string> more) {
    return with(with({command, "--task_config_path", task, "--output_dir", folder / output, "--do_train", "--do_save", "--train_batch_size",
                      "2", "--learning_rate", "1e-2", "--max_steps", "4", "--seed", "5", "--threads", "1", "--max_seq_length", "16"},
                     model),
                std::move(more));
  };
  REQUIRE(run_graft(run("train-adapter", "one", {"--adapter_size", "4"})).exit_code == 0);
  REQUIRE(run_graft(run("train-adapter", "two", {"--adapter_method", "lora", "--lora_r", "2"})).exit_code == 0);
  graft::write_file(folder / "list.json", graft::ordered_json{{"one", folder / "one"},
                                                              {"two", folder / "two"},
                                                              {"peft", peers + "peft/lora_rank_pattern"},
                                                              {"dora", peers + "peft/dora"},
                                                              {"ia3", peers + "adapterhub/ia3"},
                                                              {"prefix", peers + "adapterhub/prefix_tuning_use_gating"},
                                                              {"fused", peers + "adapterhub/fusion_of_invertible_adapters"},
                                                              {"inv", peers + "adapterhub/seq_bn_inv"},
                                                              {"gated_ia3", peers + "adapterhub/ia3_use_gating"},
                                                              {"gated_lora", peers + "adapterhub/lora_use_gating"},
                                                              {"gated", peers + "adapterhub/use_gating"}}
                                              .dump());
  const auto mix = [&](const std::string& output, std::vector<std::string> more) {
    return with(run("train-multi-adapter", output, {"--adapter_weights_path", folder / "list.json"}), std::move(more));
  };
  for (const std::string threads : {"1", "2", "3"}) {
    const auto result = run_graft(mix(threads, {"--threads", threads, "--do_save_full", "--adapter_num_weight_sets", "-1"}));
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(result.err.empty());
    CHECK_THAT(result.out, Catch::Contains("mixing weights, mean over 2 layers: one 0.") && Catch::Contains(", prefix 0."));
    CHECK(graft::read_file(folder / (threads + "/model.safetensors")) == graft::read_file(folder / "1/model.safetensors"));
  }
  const auto weights = graft_test::read_log(folder / "1", "weights");
  CHECK(weights.back()["weights"]["layer_03"]["ia3"] != weights.front()["weights"]["layer_03"]["ia3"]);
  CHECK(run_graft({"plot", folder / "1"}).exit_code == 0);
  const graft::safetensors_file saved(folder / "1/model.safetensors");
  CHECK(saved.contains("roberta.encoder.layer.1.attention.self.query.multi_adapter.adapter_dict.two.lora_A.weight"));

  const auto answers = [&](const std::string& path) {
    const auto result = run_graft(with(with({"predict"}, model), {"--adapter_path", folder / path, "--task_config_path", task}));
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return result.out;
  };
  const std::string expected = answers("1");
  CHECK(std::count(expected.begin(), expected.end(), '\n') == 6);
  CHECK(answers("1/model_full.safetensors") == expected);
  for (const std::string mode : {"base_ft", "full_ft"}) {
    const auto result = run_graft(mix(mode, {"--adapter_ft_mode", mode, "--do_save_full"}));
    INFO(result.err);
    CHECK(result.exit_code == 0);
    CHECK(answers(mode) == answers(mode + "/model_full.safetensors"));
  }
  CHECK(run_graft(mix("more", {"--adapter_init_path", folder / "full_ft", "--adapter_ft_mode", "full_ft"})).exit_code == 0);

  const std::vector<std::string> longer{"--max_steps", "300", "--save_every_steps", "100", "--dropout", "0.1"};
  REQUIRE(run_graft(mix("whole", longer)).exit_code == 0);
  CHECK(graft_test::interrupt(mix("parts", longer), folder / "parts", 20) == 130);
  CHECK(run_graft(with(mix("parts", longer), {"--resume"})).exit_code == 0);
  CHECK(graft::read_file(folder / "parts/model.safetensors") == graft::read_file(folder / "whole/model.safetensors"));

  const auto refused = [&](const std::string& member, const std::string& part, std::vector<std::string> more = {}) {
    graft::write_file(folder / "bad.json", graft::json{{"one", member}}.dump());
    const auto result = run_graft(with(run("train-multi-adapter", "no", {"--adapter_weights_path", folder / "bad.json"}), std::move(more)));
    CHECK(result.exit_code == 1);
    CHECK(graft_test::is_one_line_error(result.err));
    CHECK_THAT(result.err, Catch::Contains(part));
    CHECK((!fs::exists(folder / "no") || fs::is_empty(folder / "no")));
  };
  refused(peers + "peft/lora_bias_all", "for which a mix has no place");
  refused(folder / "1", "is a mix itself, and a mix of mixes is one of all their members: name its own members in its place");
  refused(folder / "1/model_full.safetensors", "is a mix itself");
  refused(peers + "heads/single_label_roberta", "is of kind \"full\", an adapter, low-rank update, prefix or fusion was expected");
  refused(folder / "two", "a fusion is of bottleneck adapters, one is a low-rank update, of rank 2", {"--adapter_weight_mode", "fusion"});
}
