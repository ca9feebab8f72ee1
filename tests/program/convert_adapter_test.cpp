#include <catch2/catch.hpp>
#include <filesystem>

#include "exchange/material.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "program/run.hpp"

using Catch::Contains;
using graft_test::copied_folder;
using graft_test::exchange;
using graft_test::golden;
using graft_test::is_one_line_error;
using graft_test::roberta_config;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

const std::string trunk = GRAFT_TEST_DIR "/golden/model/model.safetensors";

graft_test::outcome convert(const std::string& in, const std::string& out, const std::string& to, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"convert-adapter", "--adapter_path", in, "--output_path", out, "--to", to, "--model_path", trunk});
  return run_graft(more);
}

std::string refused(const graft_test::outcome& result, int exit_code = 1) {
  CHECK(result.exit_code == exit_code);
  CHECK(result.out.empty());
  CHECK(is_one_line_error(result.err));
  return result.err;
}

}  // namespace

TEST_CASE("convert-adapter brings AdapterHub's and PEFT's adapters in and takes them out again, unchanged") {
  const temporary_folder folder;
  const auto model = graft::open_model(trunk, "roberta");
  const std::string print = graft::fingerprint(model, graft::to_json(roberta_config()), graft::trunk_tensors(roberta_config()));
  for (const auto& [name, form] : std::map<std::string, std::string>{
           {"adapterhub_double", "adapterhub"}, {"adapterhub_single", "adapterhub"}, {"peft_lora", "peft"}, {"original", "original"}}) {
    INFO(name);
    const auto in = convert(exchange + name, folder / name, "graft");
    CHECK(in.err.empty());
    REQUIRE(in.exit_code == 0);
    CHECK_THAT(in.out, Contains("written  " + (folder / name + "/model.safetensors")));
    const auto ours = graft::open_adapter(folder / name, roberta_config());
    CHECK(ours.description.trunk_fingerprint == print);
    REQUIRE(convert(folder / name, folder / (name + "_back"), form).exit_code == 0);
    const auto before = graft::open_adapter(exchange + name, roberta_config());
    const auto after = graft::open_adapter(folder / (name + "_back"), roberta_config());
    CHECK(graft::to_metadata(after.description) == graft::to_metadata(before.description));
    graft_test::check_same(before.tensors, after.tensors);
  }
}

TEST_CASE("convert-adapter sets labels, task and name, and says what it read") {
  const temporary_folder folder;
  const auto result = convert(exchange + "original/model.p", folder / "a.safetensors", "graft", {"--labels", "no,yes", "--task", "rte"});
  CHECK_THAT(result.out, Contains("houlsby adapter of size 4, gelu, LayerNorms trained; labels no yes"));
  const auto ours = graft::open_adapter(folder / "a.safetensors", roberta_config());
  CHECK(ours.description.labels == std::vector<std::string>{"no", "yes"});
  CHECK(ours.description.task_name == "rte");
  CHECK_THAT(refused(convert(folder / "a.safetensors", folder / "hub", "adapterhub")), Contains("--layer_norms_beside"));
  REQUIRE(convert(folder / "a.safetensors", folder / "hub", "adapterhub", {"--layer_norms_beside", "--adapter_name", "mine"}).exit_code ==
          0);
  CHECK(graft::read_json(folder / "hub/adapter_config.json")["name"] == "mine");
  CHECK(graft::open_adapter(folder / "hub", roberta_config()).description.layer_norms_trained);
  CHECK_THAT(convert(exchange + "peft_lora", folder / "l", "graft").out,
             Contains("low-rank updates, r 2, of attention.self.query attention.self.value; labels 0 1"));
  CHECK_THAT(convert(folder / "a.safetensors", folder / "back", "original").err, Contains("holds no labels: give --labels no,yes where"));
  auto cut = graft::open_adapter(folder / "l", roberta_config());
  cut.description.max_seq_length = 6;
  graft::write_adapter(folder / "cut.safetensors", cut);
  CHECK_THAT(convert(folder / "cut.safetensors", folder / "cut", "peft").err,
             Contains("does not say where rows were cut in training: give --max_seq_length 6"));
  CHECK(convert(folder / "l/model.safetensors", folder / "peft", "peft").err.empty());  // labels that are numbers are not lost
}

TEST_CASE("convert-adapter is content with a configuration, and takes LayerNorms from the trunk when it has one") {
  const temporary_folder folder;
  const copied_folder gelu("adapterhub_double");
  gelu.edit("adapter_config.json", [](graft::json& j) { j["config"]["non_linearity"] = "gelu"; });
  const std::vector<std::string> without_trunk{"convert-adapter", "--adapter_path",      gelu.path(),
                                               "--output_path",   folder / "m.p",        "--to",
                                               "original",        "--model_config_path", golden + "model/config.json"};
  CHECK_THAT(refused(run_graft(without_trunk)), Contains("no encoder to take them from: give the --model_path that it belongs to"));
  auto low_rank = without_trunk;
  low_rank[2] = exchange + "peft_lora";
  CHECK_THAT(refused(run_graft(low_rank)), Contains("is low-rank, nlprunners has adapters only\n"));
  REQUIRE(convert(gelu.path(), folder / "m.p", "original").exit_code == 0);
  CHECK(graft::open_adapter(folder / "m.p", roberta_config()).description.layer_norms_trained);
}

TEST_CASE("convert-adapter refuses what it should") {
  const temporary_folder folder;
  const std::string out = folder / "out";
  CHECK_THAT(refused(run_graft({"convert-adapter", "--adapter_path", exchange + "peft_lora", "--output_path", out, "--to", "peft"}), 2),
             Contains("--model_path or --model_config_path"));
  CHECK_THAT(refused(convert(exchange + "peft_lora", out, "onnx"), 2), Contains("--to"));
  CHECK_THAT(refused(convert(exchange + "peft_lora_pattern", out, "adapterhub")), Contains("has no place for: give --to peft"));
  CHECK_THAT(refused(convert(exchange + "peft_lora", out, "graft", {"--adapter_name", "a"}), 2),
             Contains("--adapter_name is for --to adapterhub"));
  CHECK_THAT(refused(convert(exchange + "original", out, "graft", {"--layer_norms_beside"}), 2), Contains("--layer_norms_beside is for"));
  CHECK_THAT(refused(convert(exchange + "adapterhub_single", out, "original")),
             Contains("is pfeiffer") && Contains("nlprunners' are houlsby"));
  CHECK_THAT(refused(convert(exchange + "adapterhub_double", out, "peft")), Contains("no low-rank update"));
  CHECK_THAT(refused(convert(exchange + "peft_lora", out, "graft", {"--labels", "a,b,c"})),
             Contains("3 were given") && Contains("is for 2"));
  CHECK_THAT(refused(convert(exchange + "peft_lora_pattern", out, "graft", {"--labels", "a,b"})), Contains("has no head"));
  CHECK_FALSE(std::filesystem::exists(out));

  auto foreign = graft_test::made_adapter(roberta_config(), graft_test::houlsby());
  foreign.description.trunk_fingerprint = "0123456789abcdef";
  graft::write_adapter(folder / "foreign.safetensors", foreign);
  CHECK_THAT(refused(convert(folder / "foreign.safetensors", out, "adapterhub")), Contains("another trunk"));
}

TEST_CASE("convert-adapter writes over nothing unless told to") {
  const temporary_folder folder;
  graft::write_file(folder / "note.txt", "mine");
  CHECK_THAT(refused(convert(exchange + "peft_lora", folder.path(), "peft")), Contains("is not empty") && Contains("--force_overwrite"));
  REQUIRE(convert(exchange + "peft_lora", folder.path(), "peft", {"--force_overwrite"}).exit_code == 0);
  CHECK(graft::read_file(folder / "note.txt") == "mine");
  REQUIRE(convert(exchange + "original", folder.path(), "original").exit_code == 0);
  CHECK_THAT(refused(convert(exchange + "original", folder.path(), "original")), Contains("model.p: is there already"));
  // never over the encoder, nor among its files
  std::filesystem::create_directory(folder / "m");
  for (const char* file : {"model.safetensors", "config.json"}) std::filesystem::copy_file(golden + "model/" + file, folder / "m/" + file);
  for (const char* to : {"graft", "peft"}) {
    CHECK_THAT(refused(run_graft({"convert-adapter", "--adapter_path", exchange + "peft_lora", "--output_path", folder / "m", "--to", to,
                                  "--model_path", folder / "m/model.safetensors", "--force_overwrite"})),
               Contains("is, or holds, the encoder"));
  }
  CHECK_THAT(refused(convert(exchange + "peft_lora", folder / "l.safetensors", "graft", {"--labels", "x,x"})), Contains("\"x\" twice"));
  CHECK_FALSE(std::filesystem::exists(folder / "l.safetensors"));
  // even over the adapter that it reads
  REQUIRE(convert(folder / "model.p", folder.path(), "original", {"--force_overwrite"}).exit_code == 0);
  graft_test::check_same(graft::open_adapter(exchange + "original", roberta_config()).tensors,
                         graft::open_adapter(folder / "model.p", roberta_config()).tensors);
}
