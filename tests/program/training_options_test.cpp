// What flags of training do to a whole run.

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "graft/io/safetensors.hpp"
#include "program/training_material.hpp"

namespace {

namespace fs = std::filesystem;
using graft_test::is_one_line_error;
using graft_test::own_golden;
using graft_test::run_graft;
using graft_test::temporary_folder;
using graft_test::tiny_run;
using graft_test::with;

struct options_material {
  temporary_folder folder;
  std::string task = graft_test::write_golden_task(own_golden(), folder.path());

  std::vector<std::string> flags(const std::string& output, const std::vector<std::string>& more) const {
    return with(tiny_run("train-adapter", task, folder / output), more);
  }
  /// The output of a run that ends well.
  std::string run(const std::string& output, const std::vector<std::string>& more) const {
    const auto result = run_graft(flags(output, more));
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return result.out;
  }
  std::vector<double> logged(const std::string& output, const std::string& member) const {
    std::vector<double> all;
    for (const auto& line : graft_test::read_log(folder / output, "loss_train")) all.push_back(line[member].get<double>());
    return all;
  }
  void refused(const std::vector<std::string>& more, const std::string& why, int code) const {
    INFO(why);
    const auto result = run_graft(flags("refused", more));
    CHECK(result.exit_code == code);
    CHECK(is_one_line_error(result.err));
    CHECK_THAT(result.err, Catch::Contains(why));
    CHECK_FALSE(fs::exists(folder / "refused"));
  }
};

}  // namespace

TEST_CASE("a run ends early, says so, and goes on to the same end after a stop") {
  const options_material m;
  const std::vector<std::string> early{
      "--num_train_epochs", "30", "--eval_every_steps", "1", "--early_stopping_patience", "2", "--do_save", "--learning_rate", "1e-9"};
  CHECK_THAT(m.run("whole", early), Catch::Contains("stopped early after step 3 of 90: no better score in 2 evaluations"));
  CHECK(m.logged("whole", "loss_val").size() == 3);
  CHECK(fs::exists(m.folder / "whole/DONE"));
  const auto slow = with(early, {"--tensorboard", "--early_stopping_patience", "60", "--save_every_steps", "1"});
  CHECK(graft_test::interrupt(m.flags("stopped", slow), m.folder / "stopped", 3) == 130);
  CHECK_THAT(m.run("stopped", with(slow, {"--resume"})), Catch::Contains("stopped early after step 61 of 90"));
  m.run("straight", slow);
  CHECK(graft::read_file(m.folder / "stopped/model.safetensors") == graft::read_file(m.folder / "straight/model.safetensors"));
  const auto events = [&](const std::string& output) {
    return std::distance(fs::directory_iterator(m.folder / (output + "/tensorboard")), fs::directory_iterator());
  };
  CHECK(events("stopped") == 2);  // a file a start
  CHECK(events("straight") == 1);
  m.run("straight", {"--force_overwrite"});  // removes what the run wrote, and nothing else
  CHECK_FALSE(fs::exists(m.folder / "straight/tensorboard"));
  m.refused({"--early_stopping_patience", "1"}, "--early_stopping_patience counts evaluations", 2);
}

TEST_CASE("rates take the course that is asked for") {
  const options_material m;
  m.run("cosine", {"--lr_scheduler_type", "cosine", "--warmup_steps", "3", "--max_steps", "9"});
  const auto rates = m.logged("cosine", "learning_rate");
  REQUIRE(rates.size() == 9);
  CHECK(rates[0] == Approx(1e-3 / 3).epsilon(1e-12));
  CHECK(rates[5] == Approx(1e-3 * 0.5).epsilon(1e-12));
  m.run("constant", {"--lr_scheduler_type", "constant"});
  for (const double rate : m.logged("constant", "learning_rate")) CHECK(rate == 1e-3);
  m.refused({"--lr_scheduler_type", "polynomial"}, "--lr_scheduler_type", 2);
}

TEST_CASE("weights and smoothing change the loss, and neither evaluation nor another kind of task") {
  const options_material m;
  m.run("plain", {"--max_steps", "1"});
  const double plain = m.logged("plain", "loss_val")[0];
  const auto loss = [&](const std::string& output, const std::vector<std::string>& more) {
    m.run(output, with(more, {"--max_steps", "1"}));
    return m.logged(output, "loss_val")[0];
  };
  CHECK(loss("ones", {"--class_weights", "0=1,1=1"}) == Approx(plain).epsilon(1e-6));
  CHECK(loss("twos", {"--class_weights", R"({"0": 2, "1": 2})"}) == Approx(plain).epsilon(1e-6));
  CHECK(loss("some", {"--class_weights", "1=7"}) != Approx(plain).epsilon(1e-4));
  CHECK(loss("balanced", {"--class_weights", "balanced"}) > 0);
  CHECK(loss("smooth", {"--label_smoothing", "0.2"}) != Approx(plain).epsilon(1e-6));
  m.refused({"--class_weights", "five=2"}, "class_weights names the label \"five\", one of", 1);
  m.refused({"--class_weights", "half"}, "class_weights has \"half\"", 1);
  m.refused({"--label_smoothing", "2"}, "--label_smoothing", 2);
}

TEST_CASE("adapters, updates and prefixes of some layers are trained, saved, answer, and are converted") {
  const options_material m;
  const auto names = [&](const std::string& output) {
    std::set<std::string> layers;
    const graft::safetensors_file saved(m.folder / (output + "/model.safetensors"));
    for (const auto& [name, info] : saved.tensors()) {
      const auto at = name.find(".layer.");
      const bool own = name.find(".adapter.") != name.npos || name.find(".lora_") != name.npos || name.find(".prefix.") != name.npos;
      if (own && at != name.npos) layers.insert(name.substr(at + 7, 1));
    }
    return layers;
  };
  const auto answers = [&](const std::string& adapter) {
    const auto result = run_graft({"predict", "--model_path", own_golden() + "/model.safetensors", "--adapter_path", m.folder / adapter,
                                   "--task_config_path", m.task});
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return result.out;
  };
  const std::vector<std::string> common{"--do_save", "--do_test", "--adapter_layers", "1"};
  m.run("houlsby", common);
  m.run("general", with(common, {"--adapter_placement", "general", "--adapter_settings", R"({"ln_before": true})"}));
  m.run("lora", with(common, {"--adapter_method", "lora", "--lora_target", "query,dense"}));
  m.run("prefix", with(common, {"--adapter_method", "prefix", "--prefix_length", "2", "--prefix_bottleneck", "0"}));
  for (const std::string kind : {"houlsby", "general", "lora", "prefix"}) {
    INFO(kind);
    CHECK(names(kind) == std::set<std::string>{"1"});
    CHECK_FALSE(answers(kind).empty());
    const std::string form = kind == "lora" ? "peft" : "adapterhub";
    const auto converted = run_graft({"convert-adapter", "--adapter_path", m.folder / kind, "--output_path", m.folder / (kind + "_out"),
                                      "--to", form, "--model_path", own_golden() + "/model.safetensors"});
    if (kind == "houlsby" || kind == "general") {  // trained LayerNorms
      CHECK_THAT(converted.err, Catch::Contains("LayerNorms were trained"));
      continue;
    }
    INFO(converted.err);
    REQUIRE(converted.exit_code == 0);
    if (kind != "lora") CHECK(graft::read_json(m.folder / (kind + "_out/adapter_config.json"))["config"]["leave_out"] == graft::json{0});
    CHECK(run_graft({"predict", "--model_path", own_golden() + "/model.safetensors", "--adapter_path", m.folder / (kind + "_out"),
                     "--task_config_path", m.task})
              .exit_code == 0);
  }
  m.run("frozen", with(common, {"--adapter_layer_norm", "frozen"}));
  REQUIRE(run_graft({"convert-adapter", "--adapter_path", m.folder / "frozen", "--output_path", m.folder / "frozen_out", "--to",
                     "adapterhub", "--model_path", own_golden() + "/model.safetensors"})
              .exit_code == 0);
  CHECK(graft::read_json(m.folder / "frozen_out/adapter_config.json")["config"]["leave_out"] == graft::json{0});
  m.run("again", with(common, {"--adapter_init_path", m.folder / "houlsby"}));
  m.refused({"--adapter_layers", "2"}, "--adapter_layers names layer \"2\", numbers from 0 to 1 were expected, or FIRST-LAST", 2);
  m.refused({"--adapter_layers", "1-0"}, "--adapter_layers names layer \"1-0\"", 2);
  m.refused({"--adapter_layers", "0", "--tune", "head"}, "--adapter_layers is for adapters", 2);
  m.refused({"--adapter_layers", "0", "--adapter_init_path", m.folder / "houlsby"}, "leaves out layers 0, this run layers 1", 1);
}

TEST_CASE("a prefix cache is filled once, read by other runs, and goes with a run from start to end") {
  const options_material m;
  const std::string cache = m.folder / "cache";
  const std::vector<std::string> common{"--do_save",          "--do_val", "--adapter_layers", "1",  "--prefix_cache", cache,
                                        "--num_train_epochs", "4",        "--dropout",        "0.1"};
  const auto saved = [&](const std::string& output) { return graft::read_file(m.folder / (output + "/model.safetensors")); };
  CHECK_THAT(m.run("first", common), Catch::Contains("new rows computed"));
  CHECK_THAT(m.run("second", with(common, {"--threads", "2"})), !Catch::Contains("computed"));
  CHECK(saved("second") == saved("first"));
  m.run("plain", with(common, {"--prefix_cache", "", "--dropout", "0"}));
  m.run("cached", with(common, {"--dropout", "0"}));
  CHECK(graft::read_file(m.folder / "plain/val_preds.csv") == graft::read_file(m.folder / "cached/val_preds.csv"));
  CHECK(saved("first") != saved("cached"));
  CHECK_THAT(m.run("other_seed", with(common, {"--seed", "6"})), !Catch::Contains("computed"));
  CHECK(std::distance(fs::directory_iterator(cache), fs::directory_iterator()) == 1);

  const auto slow = with(common, {"--num_train_epochs", "30"});
  CHECK(graft_test::interrupt(m.flags("stopped", slow), m.folder / "stopped", 3) == 130);
  const auto changed = run_graft(m.flags("stopped", with(slow, {"--prefix_cache", "", "--resume"})));
  CHECK_THAT(changed.err, Catch::Contains("--prefix_cache is false, the run in ") && Catch::Contains("was started with true"));
  m.run("stopped", with(slow, {"--resume", "--prefix_cache", m.folder / "moved"}));
  m.run("straight", slow);
  CHECK(saved("stopped") == saved("straight"));

  m.refused({"--prefix_cache", cache}, "the embeddings, or what stands behind them, are tuned here", 1);
  m.refused({"--prefix_cache", cache, "--adapter_layers", "0"}, "layer 0 is tuned here", 1);
  graft::write_file(m.folder / "taken", "a file");
  m.refused({"--prefix_cache", m.folder / "taken/cache", "--adapter_layers", "1"},
            "taken/cache: cannot be made a folder: Not a directory; choose another folder: give it as --prefix_cache", 1);
  CHECK_THAT(run_graft(m.flags("same", {"--prefix_cache", m.folder / "same", "--adapter_layers", "1"})).err,
             Catch::Contains("--prefix_cache and --output_dir are one folder"));
  m.refused({"--prefix_cache", cache, "--tune", "full"}, "the embeddings, or what stands behind them, are tuned here", 1);
  const std::string file = fs::directory_iterator(cache)->path();
  fs::resize_file(file, fs::file_size(file) - 5);
  m.refused({"--prefix_cache", cache, "--adapter_layers", "1"}, file + ": is no whole file of a prefix cache: ", 1);
}
