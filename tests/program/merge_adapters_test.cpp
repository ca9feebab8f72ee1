// graft merge-adapters: what it makes of the encoder answers as the library did with the adapter beside it.

#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "graft/core/json.hpp"
#include "program/run.hpp"

using Catch::Contains;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

const std::string merged_peers = GRAFT_TEST_DIR "/golden/peers/";

graft_test::outcome merge(const std::string& base, std::vector<std::string> more) {
  more.insert(more.begin(), {"merge-adapters", "--model_path", merged_peers + "bases/" + base});
  return run_graft(more);
}

}  // namespace

TEST_CASE("an adapter that became part of the encoder answers as it did beside it") {
  for (const std::string name : {"lora_bias_all_bert", "dora", "ia3_bert", "lora_all_linear_bert"}) {
    INFO(name);
    const std::string folder = merged_peers + "peft/" + name;
    const graft::json expected = graft::read_json(folder + "/case.json");
    const temporary_folder out;
    const auto done = merge(expected["base"], {"--adapter_path", folder, "--output_path", out / "model"});
    INFO(done.err);
    REQUIRE(done.exit_code == 0);
    const auto answers = run_graft(
        {"predict", "--model_path", out / "model", "--precision", "f32", "--threads", "1", "--input", merged_peers + "rows.jsonl"});
    INFO(answers.err);
    REQUIRE(answers.exit_code == 0);
    std::istringstream table(answers.out);
    std::string line;
    std::getline(table, line);
    for (const auto& numbers : expected["answers"]) {
      REQUIRE(std::getline(table, line));
      std::istringstream cells(line);
      std::string number, label;
      cells >> number >> label;
      for (const double wanted : numbers) {
        double p = 0;
        cells >> p;
        CHECK(p == Approx(wanted).margin(1e-5).epsilon(0));
      }
    }
  }
}

TEST_CASE("what cannot be merged is one line, and nothing is written or lost") {
  const temporary_folder work;
  const std::string lora = merged_peers + "peft/lora_query_and_value", cut = work / "cut", target = work / "model";
  std::filesystem::copy(lora, cut);
  std::filesystem::resize_file(cut + "/adapter_model.safetensors", std::filesystem::file_size(cut + "/adapter_model.safetensors") / 2);
  const auto list = [&](const std::string& name, const graft::json& adapters) {
    graft::write_file(work / name, adapters.dump());
    return work / name;
  };
  const auto refused = [&](std::vector<std::string> more, const std::string& part, const std::string& base = "roberta") {
    more.insert(more.end(), {"--output_path", target});
    const auto result = merge(base, more);
    INFO("expected: " << part);
    CHECK(result.exit_code == 1);
    CHECK(graft_test::is_one_line_error(result.err));
    CHECK_THAT(result.err, Contains(part));
    CHECK_FALSE(std::filesystem::exists(target));
  };
  refused({"--adapter_path", work / "nowhere"}, "nowhere: is not there");
  refused({"--adapter_path", work.path()}, "holds several adapters: cut; give the folder of one of them");
  refused({"--adapter_path", cut}, "cut/adapter_model.safetensors");
  refused({"--adapter_path", merged_peers + "adapterhub/seq_bn"}, "is an adapter, which cannot become part of the weights");
  refused({"--adapter_path", merged_peers + "adapterhub/seq_bn_inv"}, "is an adapter, which cannot become part of the weights");
  for (const char* gated : {"lora_use_gating", "ia3_use_gating"})
    refused({"--adapter_path", merged_peers + "adapterhub/" + gated}, "has gates, which depend on a text");
  refused({"--adapter_path", lora}, "no dense layer of this encoder has an update", "bert");
  refused({"--adapter_weights_path", list("kinds.json", {{"a", lora}, {"b", merged_peers + "peft/dora"}}), "--to", "graft"},
          "is not of the shape of");
  refused({"--adapter_weights_path", list("ranks.json", {{"a", lora}, {"b", merged_peers + "peft/lora_rank_pattern"}}), "--to", "graft"},
          "is not of the shape of");
  refused({"--adapter_weights_path", list("cut.json", {{"a", lora}, {"b", cut}}), "--to", "graft"}, "cut/adapter_model.safetensors");
  refused({"--adapter_weights_path", list("none.json", graft::json::object())}, "none.json: names no adapter");
  graft::write_file(work / "model", "mine");
  CHECK_THAT(merge("roberta", {"--adapter_path", lora, "--output_path", target}).err, Contains("is there already; choose another"));
  CHECK(graft::read_file(target) == "mine");
}

TEST_CASE("several adapters become one, or none of them") {
  const temporary_folder out;
  graft::write_file(out / "list.json",
                    "{\"a\": \"" + merged_peers + "peft/lora_query_and_value\", \"b\": \"" + merged_peers + "peft/lora_query_and_value\"}");
  const auto several = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--adapter_weights_path", out / "list.json"});
    return merge("roberta", more);
  };
  const auto peft = several({"--to", "peft", "--output_path", out / "peft", "--weights", "3,1"});
  INFO(peft.err);
  REQUIRE(peft.exit_code == 0);
  CHECK_THAT(peft.out, Contains("a 0.75, b 0.25"));
  const auto answers = [&](const std::string& adapter) {
    return run_graft({"predict", "--model_path", merged_peers + "bases/roberta", "--adapter_path", adapter, "--precision", "f32",
                      "--threads", "1", "--input", merged_peers + "rows.jsonl"})
        .out.substr(0, 50);
  };
  CHECK(answers(out / "peft") == answers(merged_peers + "peft/lora_query_and_value"));  // the same one twice
  REQUIRE(several({"--output_path", out / "model", "--weights", "1,-1", "--normalize_weights", "0", "--combine", "cat", "--head_of", "a"})
              .exit_code == 0);
  CHECK_THAT(several({"--output_path", out / "x", "--weights", "1"}).err, Contains("--weights holds 1 numbers, there are 2 adapters"));
  CHECK_THAT(several({"--output_path", out / "x", "--weights", "1,-1"}).err, Contains("sum up to 0"));
  CHECK_THAT(several({"--output_path", out / "x", "--head_of", "c"}).err, Contains("--head_of is \"c\""));
  CHECK_THAT(several({"--output_path", out / "model"}).err, Contains("is not empty"));
  CHECK_THAT(merge("roberta", {"--output_path", out / "x"}).err, Contains("give --adapter_path for one adapter"));
}
