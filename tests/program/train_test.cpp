// Whole runs of the program: what they write, that they can be stopped and resumed, and how they refuse bad input.

#include <sys/file.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "graft/encoder/config.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/safetensors.hpp"
#include "program/training_material.hpp"
#include "text/tiny_vocabularies.hpp"

namespace {

namespace fs = std::filesystem;
using graft_test::interrupt;
using graft_test::is_one_line_error;
using graft_test::own_golden;
using graft_test::run_graft;
using graft_test::temporary_folder;
using graft_test::tiny_run;
using graft_test::with;

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    names.insert(name.find_first_not_of("0123456789") == std::string::npos ? "<seconds>" : name);
  }
  return names;
}

/// The run fails with one line that holds PART, exit code CODE, and has written nothing.
void check_refused(const std::vector<std::string>& flags, const std::string& output, const std::string& part, int code = 1) {
  INFO("expected: " << part);
  const auto result = run_graft(flags);
  CHECK(result.exit_code == code);
  CHECK(is_one_line_error(result.err));
  CHECK_THAT(result.err, Catch::Contains(part));
  CHECK((!fs::exists(output) || fs::is_empty(output)));
}

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream rest(text);
  for (std::string line; std::getline(rest, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("batches that go through in parts give the same run, dropout included") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const auto losses = [&](const std::string& name, const std::string& tokens) {
    const std::string output = folder / name;
    REQUIRE(
        run_graft(with(tiny_run("train-adapter", task, output), {"--dropout", "0.2", "--precision", "f64", "--micro_batch_tokens", tokens}))
            .exit_code == 0);
    std::vector<double> all;
    for (const auto& entry : graft_test::read_log(output, "loss_train")) all.push_back(entry["loss_val"].get<double>());
    return all;
  };
  const auto whole = losses("whole", "0"), parts = losses("parts", "1");
  REQUIRE(whole.size() == parts.size());
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(parts[i] == Approx(whole[i]).epsilon(1e-10));
}

TEST_CASE("an adapter run writes its files, and exactly the trained parameters") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  const auto result = run_graft(with(tiny_run("train-adapter", task, output), {"--do_val", "--do_test", "--do_save", "--do_save_full",
                                                                               "--adapter_size", "4", "--eval_every_steps", "3"}));
  CHECK(result.err.empty());
  REQUIRE(result.exit_code == 0);
  CHECK(names_in(output) == std::set<std::string>{"<seconds>", "DONE", "args.json", "model.safetensors", "model_full.safetensors",
                                                  "run.json", "test_predictions.tsv", "test_preds.csv", "val_metrics.json", "val_preds.csv",
                                                  "val_report.json"});
  const auto report = graft::read_json(output + "/val_report.json");
  CHECK(report["rows"] == 9);
  CHECK(report["confusion"].size() == 2);
  CHECK(report["worst"].size() == 9);
  CHECK(report["worst"][0]["loss"] >= report["worst"][8]["loss"]);
  CHECK(report["worst"][0]["line"] == report["worst"][0]["row"].get<int>() + 1);
  const auto log = graft_test::read_log(output, "loss_train");
  CHECK(log.size() == 9);  // 9 rows, 3 a batch, 3 epochs
  CHECK(log.back().contains("TIMESTAMP"));
  CHECK(graft_test::read_log(output, "train_val").size() == 3);
  CHECK(graft_test::read_log(output, "train_val_best").size() >= 1);
  const auto metrics = graft::read_json(output + "/val_metrics.json");
  CHECK(metrics["metrics"]["minor"].contains("acc"));
  CHECK(metrics["metrics"]["major"] == metrics["metrics"]["minor"]["acc"]);
  const std::string predictions = graft::read_file(output + "/test_predictions.tsv");
  CHECK_THAT(predictions, Catch::StartsWith("index\tprediction\n0\t"));
  CHECK(std::count(predictions.begin(), predictions.end(), '\n') == 10);
  const graft::safetensors_file saved(output + "/model.safetensors");
  CHECK(saved.tensors().size() == 2 + 2 * 2 * (4 + 2) + 4);
  CHECK(saved.at("roberta.encoder.layer.1.attention.output.adapter.down_project.weight").shape == std::vector<graft::index>{4, 8});
  CHECK(saved.contains("roberta.embeddings.LayerNorm.bias"));
  CHECK(saved.contains("classifier.out_proj.weight"));
  CHECK(graft::safetensors_file(output + "/model_full.safetensors").contains("roberta.embeddings.word_embeddings.weight"));
  CHECK(graft::read_json(output + "/args.json")["seed"] == 5);

  // predict gives the labels that the run predicted
  const auto predicted = run_graft({"predict", "--model_path", own_golden() + "/model.safetensors", "--model_config_path",
                                    own_golden() + "/config.json", "--adapter_path", output, "--task_config_path", task});
  CHECK(predicted.err.empty());
  CHECK(predicted.exit_code == 0);
  const auto labels = [](const std::string& table) {
    std::vector<std::string> found;
    for (std::size_t at = table.find('\n') + 1; at < table.size(); at = table.find('\n', at) + 1) {
      const std::size_t begin = table.find('\t', at) + 1;
      found.push_back(table.substr(begin, table.find_first_of("\t\n", begin) - begin));
    }
    return found;
  };
  CHECK(labels(predicted.out) == labels(predictions));

  SECTION("a finished run is not overwritten, unless told to") {
    const std::string before = graft::read_file(output + "/model.safetensors");
    const auto again = run_graft(tiny_run("train-adapter", task, output));
    CHECK(again.exit_code == 1);
    CHECK_THAT(again.err, Catch::Contains("holds a finished run") && Catch::Contains("--force_overwrite"));
    const auto onto_itself = run_graft(
        with(tiny_run("train-adapter", task, output), {"--force_overwrite", "--adapter_init_path", output + "/model.safetensors"}));
    CHECK(onto_itself.exit_code == 1);
    CHECK_THAT(onto_itself.err, Catch::Contains(output + ": what --adapter_init_path names, which the run is to read, lies there"));
    CHECK(graft::read_file(output + "/model.safetensors") == before);
    const int other_run = ::open(output.c_str(), O_RDONLY | O_DIRECTORY);
    REQUIRE(::flock(other_run, LOCK_EX) == 0);
    const auto second = run_graft(with(tiny_run("train-adapter", task, output), {"--force_overwrite"}));
    CHECK(second.exit_code == 1);
    CHECK_THAT(second.err, Catch::Contains(output + ": another run is writing there"));
    ::close(other_run);
    CHECK(graft::read_file(output + "/model.safetensors") == before);
    CHECK(run_graft(with(tiny_run("train-adapter", task, output), {"--force_overwrite"})).exit_code == 0);
    CHECK(names_in(output) == std::set<std::string>{"<seconds>", "DONE", "args.json", "run.json"});
    CHECK(graft_test::read_log(output, "loss_train").size() == 9);
  }
}

TEST_CASE("a mix is saved with its adapters, and predicts alone with the trunk") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  for (const char* name : {"rte", "mrpc"}) {  // relative paths are tried from the JSON's folder
    fs::copy_file(own_golden() + "/adapter_" + name + ".safetensors", folder / (std::string(name) + ".safetensors"));
  }
  graft::write_file(folder / "adapters.json", R"({"rte": "rte.safetensors", "mrpc": "mrpc.safetensors"})");
  const std::string output = folder / "mix";
  const auto run = with(tiny_run("train-multi-adapter", task, output),
                        {"--adapter_weights_path", folder / "adapters.json", "--do_save", "--do_test", "--adapter_num_weight_sets", "-1"});
  const auto result = run_graft(run);
  CHECK(result.err.empty());
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.out, Catch::Contains("mixing weights, mean over 2 layers: rte 0."));
  const graft::safetensors_file saved(output + "/model.safetensors");
  for (const std::string name : {"adapter_dict.rte.down_project.weight", "layer_norm_dict.base.weight", "weighted_sum.weights"}) {
    CHECK(saved.contains("roberta.encoder.layer.1.attention.output.multi_adapter." + name));
  }
  CHECK_FALSE(saved.contains("roberta.embeddings.word_embeddings.weight"));
  const auto weights = graft_test::read_log(output, "weights");
  CHECK(weights.front()["tgs"]["global_step"] == 0);
  CHECK(weights.size() == 10);
  const auto predicted = run_graft({"predict", "--model_path", own_golden() + "/model.safetensors", "--model_config_path",
                                    own_golden() + "/config.json", "--adapter_path", output, "--input", folder / "task.jsonl"});
  CHECK(predicted.err.empty());
  CHECK(predicted.exit_code == 0);
  CHECK_THAT(predicted.out, Catch::StartsWith("index\tprediction\tP(0)"));
  CHECK(run_graft({"plot", output}).exit_code == 0);
  CHECK(fs::exists(output + "/plots/weights.svg"));

  check_refused(with(run, {"--output_dir", folder / "no", "--adapter_exclude", "sst"}), folder / "no", "--adapter_exclude names \"sst\"");
  check_refused(with(run, {"--output_dir", folder / "no", "--adapter_num_weight_sets", "3"}), folder / "no", "cannot be cut");
}

TEST_CASE("a run that is interrupted and resumed ends with the same bytes") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const auto flags = [&](const std::string& output) {
    return with(tiny_run("train-adapter", task, output), {"--do_save", "--do_val", "--num_train_epochs", "400", "--eval_every_steps", "250",
                                                          "--save_every_steps", "100", "--dropout", "0.1"});
  };
  REQUIRE(run_graft(flags(folder / "whole")).exit_code == 0);
  const std::string output = folder / "parts";
  CHECK(interrupt(flags(output), output, 30) == 130);
  REQUIRE(fs::exists(output + "/checkpoint.safetensors"));
  CHECK(graft_test::read_log(output, "errors").back()["error"] == "stopped by a signal");
  const auto steps = graft_test::read_log(output, "loss_train").size();
  CHECK(steps < 1200);

  const auto anew = run_graft(flags(output));
  CHECK(anew.exit_code == 1);
  CHECK_THAT(anew.err, Catch::Contains("was stopped") && Catch::Contains("--resume"));
  const auto other = run_graft(with(flags(output), {"--resume", "--learning_rate", "1e-4"}));
  CHECK(other.exit_code == 1);
  CHECK_THAT(other.err, Catch::Contains("--learning_rate is 0.0001"));

  const auto resumed = run_graft(with(flags(output), {"--resume"}));
  CHECK(resumed.err.empty());
  CHECK(resumed.exit_code == 0);
  CHECK_FALSE(fs::exists(output + "/checkpoint.safetensors"));
  CHECK(graft::read_file(output + "/model.safetensors") == graft::read_file(folder / "whole/model.safetensors"));
  CHECK(graft::read_file(output + "/val_preds.csv") == graft::read_file(folder / "whole/val_preds.csv"));
  const auto whole_log = graft_test::read_log(folder / "whole", "loss_train");
  const auto log = graft_test::read_log(output, "loss_train");
  REQUIRE(log.size() == whole_log.size());
  for (std::size_t k = 0; k < log.size(); ++k) CHECK(log[k]["loss_val"] == whole_log[k]["loss_val"]);
}

TEST_CASE("what no run left in the output folder stays as it is") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  const auto run = with(tiny_run("train-adapter", task, output), {"--max_steps", "1", "--force_overwrite"});
  fs::create_directories(output + "/2019");
  graft::write_file(output + "/2019/photo", "mine");
  CHECK(run_graft(run).exit_code == 0);
  CHECK(run_graft(run).exit_code == 0);  // over a run of its own
  CHECK(graft::read_file(output + "/2019/photo") == "mine");

  fs::create_directories(folder / "model");
  graft::write_file(folder / "model/model.safetensors", "mine");
  const auto refused = run_graft(with(run, {"--output_dir", folder / "model"}));
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::Contains("holds model.safetensors, but no run.json of a run"));
  CHECK(graft::read_file(folder / "model/model.safetensors") == "mine");
}

TEST_CASE("bad input to a trainer is one line, and nothing is written") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  const auto run = tiny_run("train-adapter", task, output);
  const auto flag = [&](const std::string& name, const std::string& value) { return with(run, {"--" + name, value}); };

  check_refused(flag("task_config_path", folder / "absent.json"), output, "absent.json: cannot be opened");
  check_refused(flag("model_path", folder / "absent.safetensors"), output, "absent.safetensors");
  check_refused(flag("model_path", folder.path()), output, folder.path());
  check_refused(flag("max_seq_length", "500"), output, "--max_seq_length is 500");
  check_refused(with(run, {"--no_such_flag"}), output, "unknown flag --no_such_flag", 2);
  check_refused(flag("learning_rate", "fast"), output, "--learning_rate", 2);
  check_refused(with(run, {"--resume"}), output, "no checkpoint.safetensors");
  check_refused(with(run, {"--group_by_length", "--no_shuffle"}), output, "give one of them", 2);
  check_refused(flag("adapter_hidden_act", "magic"), output, "adapter_hidden_act");

  // a trunk that is cut short, or not that of its config
  const std::string weights = graft::read_file(own_golden() + "/model.safetensors");
  const std::string config = "--model_config_path";
  graft::write_file(folder / "cut.safetensors", std::string_view(weights).substr(0, weights.size() - 100));
  check_refused(with(flag("model_path", folder / "cut.safetensors"), {config, own_golden() + "/config.json"}), output, "cut.safetensors");
  auto other = graft::read_json(own_golden() + "/config.json");
  other["hidden_size"] = 32;
  graft::write_file(folder / "other.json", other.dump());
  check_refused(flag("model_config_path", folder / "other.json"), output, "was expected (does the config belong to these weights?)");
  other["num_hidden_layers"] = 3;
  other["hidden_size"] = 8;
  graft::write_file(folder / "other.json", other.dump());
  check_refused(flag("model_config_path", folder / "other.json"), output, "has no tensor");

  // rows
  const auto rows = [&](const std::string& text) {
    graft::write_file(folder / "task.jsonl", text);
    return run;
  };
  check_refused(rows(""), output, "task.jsonl");
  check_refused(rows("{\"input_ids\": [0, 5, 2], \"label\": 9}\n"), output, "task.jsonl:1: label \"9\"");
  check_refused(rows("{\"input_ids\": [0, 5000, 2], \"label\": 0}\n"), output, "task.jsonl:1: ");
  check_refused(rows("{\"input_ids\": [0, 5, 2], \"label\": 0}\n{\"input_ids\": [0"), output, "task.jsonl:2");
  check_refused(rows("{\"text_a\": \"words\", \"label\": 0}\n"), output, "vocab");
  const temporary_folder vocabulary;
  graft_test::write_roberta(vocabulary, graft_test::tiny_pieces(), graft_test::tiny_merges());
  const auto too_many = run_graft(flag("model_tokenizer_path", vocabulary.path()));  // a note, and the text that needs more
  CHECK(too_many.exit_code == 1);
  CHECK_THAT(too_many.err, Catch::Contains("task.jsonl:1: \"w\" in the text has id 123, the encoder has rows for 40 alone"));
  CHECK((!fs::exists(output) || fs::is_empty(output)));
  check_refused(rows("{\"text_a\": \"\xff\", \"label\": 0}\n"), output, "task.jsonl:1");
  graft::write_file(folder / "task.tsv", "text_a\tlabel\nwords\n");
  auto tsv = graft::read_json(task);
  tsv["paths"]["train"] = folder / "task.tsv";
  graft::write_file(folder / "tsv.json", tsv.dump());
  check_refused(flag("task_config_path", folder / "tsv.json"), output,
                "task.tsv:2: has 1 tab-separated columns, 2 as in the header were expected");

  // an output folder that cannot be made: a file stands there
  graft::write_file(folder / "file", "");
  graft_test::write_golden_task(own_golden(), folder.path());
  const auto blocked = run_graft(tiny_run("train-adapter", task, folder / "file/run"));
  CHECK(blocked.exit_code == 1);
  CHECK(is_one_line_error(blocked.err));
  CHECK_THAT(blocked.err, Catch::Contains("file/run"));
}

TEST_CASE("adapters that do not fit the trunk, or are none, are refused") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::string output = folder / "run";
  const auto mix = [&](const std::string& json) {
    graft::write_file(folder / "adapters.json", json);
    return with(tiny_run("train-multi-adapter", task, output), {"--adapter_weights_path", folder / "adapters.json"});
  };
  check_refused(mix(R"({"rte": "absent.safetensors"})"), output, "absent.safetensors: is not there");
  check_refused(mix("[1]"), output, "holds no JSON object");
  check_refused(mix(R"({"base": "x"})"), output, "\"base\" cannot be an adapter's name");
  check_refused(mix("{\"rte\": \"" + own_golden() + "/model.safetensors\"}"), output, "is of kind \"full\", an adapter");

  const std::vector<float> numbers(4 * 20);
  graft::safetensors_writer writer;
  writer.add("roberta.encoder.layer.0.attention.output.adapter.down_project.weight", {4, 20}, std::span<const float>(numbers));
  writer.add("roberta.encoder.layer.0.attention.output.adapter.down_project.bias", {4}, std::span(numbers).first(4));
  writer.write(folder / "wide.safetensors");
  check_refused(mix(R"({"rte": "wide.safetensors"})"), output, "(4, 20), (4, 8) was expected");

  // trained around another trunk: same shapes, other weights
  const std::string first = folder / "first";
  REQUIRE(run_graft(with(tiny_run("train-adapter", task, first), {"--do_save", "--adapter_size", "4"})).exit_code == 0);
  std::string weights = graft::read_file(own_golden() + "/model.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, weights.data(), 8);
  const auto entries = graft::json::parse(weights.substr(8, header));
  const std::size_t end = entries["roberta.embeddings.word_embeddings.weight"]["data_offsets"][1];
  weights[8 + header + end - 1] = static_cast<char>(weights[8 + header + end - 1] ^ 0x80);  // the sign of its last number
  graft::write_file(folder / "other.safetensors", weights);
  auto flags = mix("{\"rte\": \"" + first + "\"}");
  CHECK(run_graft(with(flags, {"--output_dir", folder / "fits"})).exit_code == 0);
  check_refused(with(flags, {"--model_path", folder / "other.safetensors", "--model_config_path", own_golden() + "/config.json"}), output,
                "): give the --model_path that it belongs to");
  check_refused(with(tiny_run("train-adapter", task, output), {"--adapter_init_path", first, "--adapter_size", "2"}), output,
                "--adapter_init_path " + first +
                    "/model.safetensors: its adapters' size is 4, this run's is 2: give --adapter_size 4, or leave " +
                    "--adapter_init_path out");
}

TEST_CASE("updates with ranks and alphas of their own are trained, and started from by the same ones alone") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::vector<std::string> lora{"--do_save", "--adapter_method", "lora", "--lora_r", "2"};
  const std::vector<std::string> pattern{"--lora_rank_pattern", "query=4,layer.1.attention.self.query=1", "--lora_alpha_pattern",
                                         "value=3"};
  const auto run = [&](const std::string& output, std::vector<std::string> more) {
    return with(with(tiny_run("train-adapter", task, folder / output), lora), std::move(more));
  };
  REQUIRE(run_graft(run("one", pattern)).exit_code == 0);
  const graft::safetensors_file saved(folder / "one/model.safetensors");
  const std::string query = ".attention.self.query.lora_A.weight";
  CHECK(saved.at("roberta.encoder.layer.0" + query).shape[0] == 4);
  CHECK(saved.at("roberta.encoder.layer.1" + query).shape[0] == 1);
  CHECK(run_graft(run("again", with(pattern, {"--adapter_init_path", folder / "one"}))).exit_code == 0);
  check_refused(run("other", {"--adapter_init_path", folder / "one"}), folder / "other", "its rank for roberta.encoder.layer.0");
  check_refused(run("other", {"--lora_rank_pattern", "key=4"}), folder / "other", "--lora_rank_pattern has \"key=4\", TARGET=NUMBER", 2);
}

TEST_CASE("dropout of updates and adapters is the same on any number of threads and after a stop, and is told to other libraries") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path()), golden = own_golden();
  const std::vector<std::string> model{"--model_path", golden + "/model.safetensors", "--model_config_path", golden + "/config.json"};
  for (const std::string method : {"lora", "adapter"}) {
    const auto run = [&](const std::string& output, std::vector<std::string> more) {
      auto flags = with(tiny_run("train-adapter", task, folder / (method + output)), {"--do_save", "--max_steps", "300"});
      flags = with(flags, {"--save_every_steps", "100"});
      flags = with(flags, method == "lora" ? std::vector<std::string>{"--adapter_method", "lora", "--lora_r", "2"}
                                           : std::vector<std::string>{"--adapter_layer_norm", "frozen"});
      return with(flags, std::move(more));
    };
    const auto weights = [&](const std::string& output) { return graft::read_file(folder / (method + output + "/model.safetensors")); };
    const std::vector<std::string> dropped{"--" + method + "_dropout", "0.3"};
    REQUIRE(run_graft(run("none", {})).exit_code == 0);
    for (const std::string threads : {"1", "2", "3"}) {
      const auto result = run_graft(run(threads, with(dropped, {"--threads", threads})));
      INFO(result.err);
      REQUIRE(result.exit_code == 0);
      CHECK(weights(threads) == weights("1"));
    }
    CHECK(weights("1") != weights("none"));
    CHECK(graft_test::interrupt(run("parts", dropped), folder / (method + "parts"), 20) == 130);
    CHECK(run_graft(with(run("parts", dropped), {"--resume"})).exit_code == 0);
    CHECK(weights("parts") == weights("1"));
    const std::string to = method == "lora" ? "peft" : "adapterhub", there = folder / to, back = folder / (to + "_back");
    const auto convert = [&](const std::string& from, const std::string& output, std::vector<std::string> more) {
      return run_graft(with(with({"convert-adapter", "--adapter_path", from, "--output_path", output}, model), std::move(more)));
    };
    CHECK(convert(folder / (method + "1"), there, {"--to", to}).exit_code == 0);
    const auto about = graft::read_json(there + "/adapter_config.json");
    CHECK((method == "lora" ? about["lora_dropout"] : about["config"]["dropout"]) == 0.3);
    CHECK(convert(there, back, {"--to", "graft"}).exit_code == 0);
    CHECK(graft::open_adapter(back, graft::read_encoder_config(golden + "/config.json")).description.lora.dropout ==
          (method == "lora" ? 0.3 : 0));
    CHECK(graft::open_adapter(back, graft::read_encoder_config(golden + "/config.json")).description.adapter.dropout ==
          (method == "lora" ? 0 : 0.3));
  }
  check_refused(with(tiny_run("train-adapter", task, folder / "no"), {"--lora_dropout", "0.1"}), folder / "no",
                "--lora_dropout is of low-rank updates: give --adapter_method lora, too", 2);
  check_refused(with(tiny_run("train-adapter", task, folder / "no"), {"--adapter_method", "lora", "--lora_dora", "--lora_dropout", "0.1"}),
                folder / "no", "--lora_dropout is of plain low-rank updates, of DoRA it is not computed: give one of the two", 2);
  check_refused(with(tiny_run("train-adapter", task, folder / "no"), {"--adapter_method", "lora", "--adapter_dropout", "0.1"}),
                folder / "no", "--adapter_dropout is of bottlenecks (--adapter_method bottleneck)", 2);
}

TEST_CASE("DoRA is trained to the same bits on any number of threads, started from, and is what PEFT's form says") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const auto run = [&](const std::string& output, std::vector<std::string> more) {
    return with(with(tiny_run("train-adapter", task, folder / output), {"--do_save", "--adapter_method", "lora", "--lora_r", "2"}),
                std::move(more));
  };
  for (const std::string threads : {"1", "2", "3"}) {
    REQUIRE(run_graft(run(threads, {"--lora_dora", "--threads", threads})).exit_code == 0);
    CHECK(graft::read_file(folder / (threads + "/model.safetensors")) == graft::read_file(folder / "1/model.safetensors"));
  }
  const graft::safetensors_file saved(folder / "1/model.safetensors");
  CHECK(saved.contains("roberta.encoder.layer.1.attention.self.value.lora_magnitude_vector"));
  CHECK(run_graft(run("again", {"--lora_dora", "--adapter_init_path", folder / "1"})).exit_code == 0);
  check_refused(run("other", {"--adapter_init_path", folder / "1"}), folder / "other",
                "is DoRA, this run trains a plain low-rank update: give --lora_dora");
  const std::string golden = own_golden(), peft = folder / "peft";
  const std::vector<std::string> model{"--model_path", golden + "/model.safetensors", "--model_config_path", golden + "/config.json"};
  CHECK(run_graft(with({"convert-adapter", "--adapter_path", folder / "1", "--output_path", peft, "--to", "peft"}, model)).exit_code == 0);
  CHECK(graft::read_json(peft + "/adapter_config.json")["use_dora"] == true);
}

TEST_CASE("a prefix is trained to the same bits on any number of threads, answers, is converted, and is started from") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const std::vector<std::string> prefix{"--do_save", "--adapter_method", "prefix", "--prefix_length", "3"};
  const auto run = [&](const std::string& output, std::vector<std::string> more) {
    const auto result = run_graft(with(with(tiny_run("train-adapter", task, folder / output), prefix), std::move(more)));
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return result.exit_code == 0 ? graft_test::read_log(folder / output, "loss_train").back()["loss_val"].get<double>() : 0;
  };
  for (const std::string width : {"4", "0"}) {
    const std::vector<std::string> kind{"--prefix_bottleneck", width, "--prefix_gates", "2"};
    const double loss = run("one" + width, with(kind, {"--threads", "1"}));
    for (const std::string threads : {"2", "3"}) {
      CHECK(run(threads + width, with(kind, {"--threads", threads})) == loss);
      CHECK(graft::read_file(folder / (threads + width + "/model.safetensors")) ==
            graft::read_file(folder / ("one" + width + "/model.safetensors")));
    }
    CHECK(graft::safetensors_file(folder / ("one" + width + "/model.safetensors")).tensors().size() ==
          (width == "4" ? 3 + 2 * 4 + 4 : 2 * 3 + 4));
    run("more" + width, with(kind, {"--adapter_init_path", folder / ("one" + width)}));
  }
  const std::vector<std::string> model{"--model_path", own_golden() + "/model.safetensors", "--model_config_path",
                                       own_golden() + "/config.json"};
  const auto answers = [&](const std::string& path) {
    return run_graft(with(with({"predict"}, model), {"--adapter_path", path, "--task_config_path", task})).out;
  };
  const std::string expected = answers(folder / "one4");
  CHECK(std::count(expected.begin(), expected.end(), '\n') == 10);
  for (const auto& [from, to, form] : {std::array<std::string, 3>{"one4", "hub", "adapterhub"}, {"hub", "back.safetensors", "graft"}}) {
    const auto result =
        run_graft(with(with({"convert-adapter"}, model), {"--adapter_path", folder / from, "--output_path", folder / to, "--to", form}));
    CHECK(result.exit_code == 0);
    CHECK_THAT(result.out, Catch::StartsWith("adapter  prefix of length 3, network of width 4; labels "));
  }
  CHECK(answers(folder / "back.safetensors").substr(0, 60) == expected.substr(0, 60));
  check_refused(with(with(tiny_run("train-adapter", task, folder / "other"), prefix),
                     {"--prefix_bottleneck", "0", "--prefix_gates", "2", "--adapter_init_path", folder / "one4"}),
                folder / "other", "its network's width is 4, this run's is 0: give --prefix_bottleneck 4");
  run("upper", {"--prefix_bottleneck", "0", "--prefix_leave_out", "0"});
  CHECK(graft::safetensors_file(folder / "upper/model.safetensors").tensors().size() == 1 + 4);
  for (const auto& [flag, value, why] :
       {std::array<std::string, 3>{"leave_out", "2", "names layer \"2\", numbers from 0 to 1 were expected"},
        {"leave_out", "0,x", "names layer \"x\""},
        {"leave_out", "0,1", "leaves out all 2 layers"},
        {"hidden_act", "foo", "prefix_hidden_act is \"foo\", one of gelu,"}}) {
    check_refused(with(with(tiny_run("train-adapter", task, folder / "other"), prefix), {"--prefix_" + flag, value}), folder / "other", why,
                  why.starts_with("names") ? 2 : 1);
  }
}

TEST_CASE("a fusion is trained, answers, goes on, and is the same in AdapterHub's form") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const auto one = [&](const std::string& name, std::vector<std::string> more) {
    REQUIRE(run_graft(with(with(tiny_run("train-adapter", task, folder / name), {"--do_save", "--max_steps", "3"}), std::move(more)))
                .exit_code == 0);
  };
  one("a", {"--adapter_size", "4", "--adapter_layer_norm", "frozen"});
  one("b", {"--adapter_size", "2", "--adapter_layer_norm", "frozen", "--seed", "6"});
  one("norms", {"--adapter_size", "2"});
  graft::write_file(folder / "list.json", graft::json{{"a", folder / "a"}, {"b", folder / "b"}}.dump());
  graft::write_file(folder / "norms.json", graft::json{{"a", folder / "a"}, {"norms", folder / "norms"}}.dump());
  const auto fuse = [&](const std::string& output, std::vector<std::string> more) {
    return with(
        with(tiny_run("train-multi-adapter", task, folder / output),
             {"--do_save", "--adapter_weights_path", folder / "list.json", "--adapter_weight_mode", "fusion", "--learning_rate", "1e-2"}),
        std::move(more));
  };
  for (const std::string threads : {"1", "2", "3"}) CHECK(run_graft(fuse(threads, {"--threads", threads})).exit_code == 0);
  const auto losses = graft_test::read_log(folder / "1", "loss_train");
  CHECK(losses.back()["loss_val"].get<double>() < losses.front()["loss_val"].get<double>());
  for (const std::string threads : {"2", "3"}) {
    CHECK(graft::read_file(folder / (threads + "/model.safetensors")) == graft::read_file(folder / "1/model.safetensors"));
  }
  CHECK(graft::safetensors_file(folder / "1/model.safetensors").tensors().size() == 2 * 2 * (2 * 4 + 5) + 4);
  const std::vector<std::string> model{"--model_path", own_golden() + "/model.safetensors", "--model_config_path",
                                       own_golden() + "/config.json"};
  const auto answers = [&](const std::string& path) {
    return run_graft(with(with({"predict"}, model), {"--adapter_path", path, "--task_config_path", task})).out;
  };
  const std::string expected = answers(folder / "1");
  CHECK(std::count(expected.begin(), expected.end(), '\n') == 10);
  for (const auto& [from, to, form] : {std::array<std::string, 3>{"1", "hub", "adapterhub"}, {"hub", "back.safetensors", "graft"}}) {
    const auto result =
        run_graft(with(with({"convert-adapter"}, model), {"--adapter_path", folder / from, "--output_path", folder / to, "--to", form}));
    INFO(result.err);
    CHECK(result.exit_code == 0);
    CHECK_THAT(result.out, Catch::StartsWith("adapter  fusion of a, b; labels "));
    CHECK(answers(folder / to) == expected);
  }
  CHECK(run_graft(fuse("more", {"--adapter_init_path", folder / "hub"})).exit_code == 0);
  check_refused(fuse("other", {"--adapter_fusion", "static", "--adapter_init_path", folder / "1"}), folder / "other",
                "give --adapter_fusion dynamic");
  check_refused(fuse("other", {"--adapter_include_flex", "1"}), folder / "other", "a fusion is of adapters alone");
  check_refused(fuse("other", {"--adapter_weights_path", folder / "norms.json"}), folder / "other",
                "was trained with LayerNorms of its own");
}

TEST_CASE(
    "several labels at once: the same bits from lists and from texts with commas, on any threads, scores, answers, a head to start from") {
  const temporary_folder folder;
  graft::json config = graft::read_json(graft_test::write_golden_task(own_golden(), folder.path()));
  config["kind"] = "multi_label";
  config["labels"] = {"a", "b", "c"};
  const auto write_task = [&](const std::string& name, auto&& label) {
    std::string rows;
    std::size_t i = 0;
    for (const std::string& line : lines_in(graft::read_file(folder / "task.jsonl"))) {
      graft::json row = graft::json::parse(line);
      row["label"] = label(i++ % 4);
      rows += row.dump() + "\n";
    }
    graft::write_file(folder / (name + ".jsonl"), rows);
    for (auto& [split, path] : config["paths"].items()) path = folder / (name + ".jsonl");
    graft::write_file(folder / (name + ".json"), config.dump());
    return folder / (name + ".json");
  };
  const graft::json lists[] = {graft::json::array(), {"a"}, {"c", "b"}, {"a", "b", "c"}};
  const graft::json texts[] = {"", "a", "b, c", "a,b,c"};
  const std::string listed = write_task("lists", [&](std::size_t i) { return lists[i]; });
  const std::string with_commas = write_task("texts", [&](std::size_t i) { return texts[i]; });
  const auto run = [&](const std::string& task, const std::string& output, std::vector<std::string> more) {
    const auto result =
        run_graft(with(with(tiny_run("train-adapter", task, folder / output), {"--do_save", "--do_val", "--do_test"}), std::move(more)));
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return result.exit_code == 0 ? graft::read_file(folder / (output + "/model.safetensors")) : output;
  };
  const std::string one = run(listed, "one", {"--threads", "1", "--micro_batch_tokens", "8"});
  CHECK(run(with_commas, "two", {"--threads", "2", "--micro_batch_tokens", "8"}) == one);
  const auto scores = graft::read_json(folder / "one/val_metrics.json")["metrics"];
  CHECK(scores["major"] == scores["minor"]["f1_micro"]);
  CHECK(scores["minor"].size() == 3);
  CHECK(graft_test::read_log(folder / "one", "loss_train").back()["pred_entropy"] > 0);
  const std::vector<std::string> model{"--model_path", own_golden() + "/model.safetensors", "--model_config_path",
                                       own_golden() + "/config.json"};
  const auto answers = run_graft(with(with({"predict"}, model), {"--adapter_path", folder / "one", "--task_config_path", listed}));
  CHECK_THAT(answers.out, Catch::StartsWith("index\tprediction\tP(a)\tP(b)\tP(c)\n"));
  std::string predictions = "index\tprediction\n";  // of the trainer, beside the table's
  for (const auto& line : lines_in(answers.out)) {
    const auto second = line.find('\t', line.find('\t') + 1);
    if (!line.starts_with("index")) predictions += line.substr(0, second) + "\n";
  }
  CHECK(graft::read_file(folder / "one/test_predictions.tsv") == predictions);
  const auto again =
      run_graft(with(with(tiny_run("train-adapter", listed, folder / "again"), {"--adapter_init_path", folder / "one"}), {}));
  CHECK(again.exit_code == 0);
  CHECK(again.err.find("not taken over") == std::string::npos);
  config["kind"] = "classification";
  check_refused(tiny_run("train-adapter", write_task("single", [&](std::size_t i) { return lists[i]; }), folder / "other"),
                folder / "other", "single.jsonl:1: \"label\" is a list, one label was expected");
}
