#include "flags/flags.hpp"

#include <array>
#include <catch2/catch.hpp>

#include "flags/advice.hpp"
#include "flags/training_flags.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "support/shared.hpp"

using namespace graft::program;
using graft_test::temporary_folder;

namespace {

/// The flags of a trainer after parsing ARGUMENTS behind the required ones.
struct parsed {
  training_flags flags;
  flag_table table;

  explicit parsed(const std::vector<std::string>& arguments, bool multi = true) : table("train", "", "") {
    add_training_flags(table, flags, multi);
    std::vector<const char*> pointers{"train", "--task_config_path", "rte.json", "--output_dir", "out", "--model_path=model"};
    if (multi) pointers.push_back("--adapter_weights_path=adapters.json");
    for (const auto& argument : arguments) pointers.push_back(argument.c_str());
    const bool goes_on = table.parse(static_cast<int>(pointers.size()), pointers.data());
    CHECK(goes_on);
  }
};

std::string message(const std::vector<std::string>& arguments, bool multi = true) {
  try {
    const parsed ignored(arguments, multi);
  } catch (const graft::error& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("flags have the defaults of the specification") {
  const parsed single({}, false);
  const auto values = single.table.values();
  CHECK(values["max_seq_length"].is_null());
  CHECK(values["learning_rate"] == 1e-5);
  CHECK(values["seed"] == -1);
  CHECK(values["do_train"] == false);
  CHECK(values["warmup_steps"].is_null());
  CHECK(values["tune"] == "adapters");
  CHECK(values["task_config_path"] == "rte.json");
  CHECK_FALSE(values.contains("adapter_weights_path"));
  CHECK(parsed({}).table.values()["adapter_include_base"].is_null());
  CHECK_FALSE(parsed({}).table.values().contains("tune"));
}

TEST_CASE("values follow a flag or an equals sign, and may be negative or empty") {
  const parsed run({"--seed", "-1", "--max_steps=-1", "--learning_rate", "3e-4", "--adapter_exclude", "", "--warmup_steps=12.5"});
  CHECK(run.flags.seed == -1);
  CHECK(run.flags.max_steps == -1);
  CHECK(run.flags.learning_rate == 3e-4);
  CHECK(run.flags.warmup_steps == 12.5);
  CHECK(run.flags.adapter_exclude.empty());
  CHECK(run.flags.model_path == "model");
  CHECK(parsed({"--adapter_exclude", "rte,mrpc"}).flags.adapter_exclude == std::vector<std::string>{"rte", "mrpc"});
  CHECK(parsed({"--seed", "1", "--seed", "2"}).flags.seed == 2);
}

TEST_CASE("a flag's former name goes on, on the command line and in files") {
  const temporary_folder folder;
  graft::write_file(folder / "old.json", "{\"tokens_at_once\": 70}");
  CHECK(parsed({"--ZZsrc", folder / "old.json"}).flags.micro_batch_tokens == 70);
  CHECK(parsed({"--ZZsrc", folder / "old.json", "--tokens_at_once", "90"}).flags.micro_batch_tokens == 90);
  CHECK(parsed({"--tokens_at_once=80"}).table.values()["micro_batch_tokens"] == 80);
  CHECK_FALSE(parsed({}).table.values().contains("tokens_at_once"));
}

TEST_CASE("switches stand alone or with a value") {
  const parsed run({"--do_train", "--do_val=true", "--do_test=false", "--adapter_use_optimized", "0", "--do_save", "true"});
  CHECK(run.flags.do_train);
  CHECK(run.flags.do_val);
  CHECK_FALSE(run.flags.do_test);
  CHECK_FALSE(run.flags.adapter_use_optimized);
  CHECK(run.flags.do_save);
  CHECK(parsed({"--adapter_use_optimized", "1"}).flags.adapter_use_optimized);
  CHECK(parsed({"--adapter_include_base"}).flags.adapter_include_base == true);
  CHECK(parsed({"--adapter_include_base", "--do_train"}).flags.adapter_include_base == true);
  CHECK(parsed({"--adapter_include_base", "false"}).flags.adapter_include_base == false);
  CHECK(parsed({"--adapter_include_flex", "1"}).flags.adapter_include_flex == true);
}

TEST_CASE("files give flags: later ones win, and the command line wins over all") {
  const temporary_folder folder;
  graft::write_file(folder / "a.json",
                    R"({"learning_rate": 1, "seed": 3, "do_train": true, "adapter_exclude": ["x", "y"], "max_grad_norm": 5})");
  graft::write_file(folder / "b.json", R"({"seed": 4, "max_grad_norm": null, "adapter_use_optimized": 0, "model_type": "roberta-base"})");
  const parsed run({"--learning_rate", "0.5", "--ZZsrc", folder / "a.json", "--ZZsrc=" + (folder / "b.json")});
  CHECK(run.flags.learning_rate == 0.5);
  CHECK(run.flags.seed == 4);
  CHECK(run.flags.do_train);
  CHECK(run.flags.max_grad_norm == 5);
  CHECK(run.flags.adapter_exclude == std::vector<std::string>{"x", "y"});
  CHECK_FALSE(run.flags.adapter_use_optimized);
  CHECK(run.flags.model_type == "roberta-base");
  CHECK(run.table.values()["ZZsrc"] == graft::ordered_json{folder / "a.json", folder / "b.json"});
}

TEST_CASE("a required flag may come from a file") {
  const temporary_folder folder;
  graft::write_file(folder / "a.json", R"({"task_config_path": "t", "output_dir": "o", "model_path": "m"})");
  training_flags flags;
  flag_table table("train-adapter", "", "");
  add_training_flags(table, flags, false);
  const std::string path = "--ZZsrc=" + (folder / "a.json");
  const char* const arguments[] = {"train-adapter", path.c_str()};
  CHECK(table.parse(2, arguments));
  CHECK(flags.model_path == "m");
}

TEST_CASE("the stored values of a run give the same values again") {
  const temporary_folder folder;
  const parsed first({"--seed", "7", "--adapter_include_flex=false", "--adapter_exclude=b,c", "--learning_rate", "0.1", "--dropout", "0"});
  graft::write_file(folder / "args.json", first.table.values().dump());
  const parsed second({"--ZZsrc", folder / "args.json"});
  auto values = second.table.values();
  values["ZZsrc"] = graft::ordered_json::array();
  CHECK(values.dump() == first.table.values().dump());
}

TEST_CASE("a file's mistakes are named with file, flag and the nearest name") {
  const temporary_folder folder;
  const auto said = [&](const std::string& text) {
    graft::write_file(folder / "a.json", text);
    return message({"--ZZsrc", folder / "a.json"}).substr(folder.path().size() + 1);
  };
  CHECK(said(R"({"learning_rat": 1})") == "a.json: \"learning_rat\" is not a flag of graft train; did you mean learning_rate?");
  CHECK(said(R"({"learning_rate": "1"})") == "a.json: \"learning_rate\": \"1\" is not a number");
  CHECK(said(R"({"seed": 1.5})") == "a.json: \"seed\": \"1.5\" is not a whole number");
  CHECK(said(R"({"seed": true})") == "a.json: \"seed\": \"true\" is not a whole number");
  CHECK(said(R"({"model_type": 1})") == "a.json: \"model_type\": 1 is not a text");
  CHECK(said(R"({"do_train": 2})") == "a.json: \"do_train\": \"2\" is not true or false");
  CHECK(said(R"({"adapter_exclude": [1]})") == "a.json: \"adapter_exclude\": [1] is not a list of texts");
  CHECK(said(R"({"train_batch_size": 0})") == "a.json: \"train_batch_size\": 0 is out of range: 1 to 1000000000 is expected");
  CHECK(said("[]") == "a.json: holds a JSON array, an object of flags is expected");
  CHECK(said("{") == "a.json: byte 1: is not valid JSON: it ends in the middle of a value; was it cut short?");
  CHECK_THAT(message({"--ZZsrc", folder / "none"}), Catch::Contains("none: cannot be opened"));
}

TEST_CASE("mistakes on the command line are usage errors that name the flag") {
  const std::string see = " (graft train --help lists the flags)";
  CHECK(message({"--learning_rat", "1"}) == "unknown flag --learning_rat; did you mean --learning_rate?" + see);
  CHECK(message({"--learning_rat=1"}) == "unknown flag --learning_rat; did you mean --learning_rate?" + see);
  CHECK(message({"--xyzzy"}) == "unknown flag --xyzzy" + see);
  CHECK(message({"-seed", "1"}) == "unknown flag -s: flags begin with two dashes" + see);
  CHECK(message({"rte"}) == "unexpected argument \"rte\"" + see);
  CHECK(message({"--seed"}) == "--seed needs a value" + see);
  CHECK(message({"--output_dir", "--do_train"}) == "--output_dir needs a value, --do_train is a flag" + see);
  CHECK(message({"--seed", "1e3"}) == "--seed: \"1e3\" is not a whole number" + see);
  CHECK(message({"--learning_rate", "nan"}) == "--learning_rate: \"nan\" is not a number" + see);
  CHECK(message({"--learning_rate", "1x"}) == "--learning_rate: \"1x\" is not a number" + see);
  CHECK(message({"--dropout", "1.5"}) == "--dropout: 1.5 is out of range: 0 to less than 1 is expected" + see);
  for (const auto& [name, value, expected] :
       std::vector<std::array<std::string, 3>>{{"adapter_size", "4611686018427387904", "1 to 65536"},
                                               {"adapter_size", "65537", "1 to 65536"},
                                               {"num_train_epochs", "9223372036854775807", "0 to 1000000000"},
                                               {"train_batch_size", "4611686018427387904", "1 to 1000000000"},
                                               {"max_steps", "-2", "-1 to 1000000000"},
                                               {"dropout", "1", "0 to less than 1"},
                                               {"train_examples_fraction", "0", "above 0 to 1"},
                                               {"adam_epsilon", "0", "above 0 to 1"},
                                               {"warmup_proportion", "-0.1", "0 to 1"},
                                               {"learning_rate", "-1e-5", "0 to 1e+38"},
                                               {"max_seq_length", "1048577", "4 to 1048576"},
                                               {"adapter_num_weight_sets", "1001", "-1 to 1000"}}) {
    CHECK(message({"--" + name, value}) == "--" + name + ": " + value + " is out of range: " + expected + " is expected" + see);
  }
  CHECK(message({"--seed", "99999999999999999999"}) == "--seed: 99999999999999999999 is out of range" + see);
  CHECK(message({"--learning_rate", "1e400"}) == "--learning_rate: 1e400 is out of range" + see);
  CHECK(message({"--do_train=maybe"}) == "--do_train: \"maybe\" is not true or false" + see);
  CHECK(message({"--adapter_ft_mode", "all"}) == "--adapter_ft_mode: \"all\" is none of base, flex, base_ft, full_ft" + see);
  CHECK(message({"--tune", "head"}) == "unknown flag --tune" + see);
  CHECK(message({"--output_dir", ""}) == "--output_dir is missing" + see);
  CHECK_THROWS_AS(parsed({"--seed", "x"}), usage_error);
}

TEST_CASE("the nearest name is near") {
  CHECK(nearest("sed", {"seed", "do_save"}) == "seed");
  CHECK(nearest("", {"a", "seed"}).empty());
  CHECK(nearest("zzz", {"seed", "do_save"}).empty());
}

TEST_CASE("help groups the flags, shows defaults, choices and what is required, and fits 96 columns") {
  const std::string help = parsed({}).table.help();
  for (const char* part :
       {"\nTask and model\n", "\nMixing\n", "[1e-05]", "--optimizer_type adam|radam", "[required]", "\nAccepted, without effect\n"}) {
    CHECK_THAT(help, Catch::Contains(part));
  }
  std::size_t longest = 0;
  for (std::size_t at = 0, end = 0; (end = help.find('\n', at)) != std::string::npos; at = end + 1) longest = std::max(longest, end - at);
  CHECK(longest <= 96);
}

TEST_CASE("a text that is not UTF-8 is refused by its flag where it would be stored") {
  CHECK_THAT(message({"--adapter_exclude", "a\xe9"}), Catch::StartsWith("--adapter_exclude: \"a\\xe9\" is not UTF-8"));
  const parsed path({"--adapter_init_path", "a\xe9"});  // a file may have such a name ...
  CHECK(path.flags.adapter_init_path == "a\xe9");
  CHECK_THROWS_WITH(path.table.values(),
                    Catch::StartsWith("--adapter_init_path: \"a\\xe9\" is not UTF-8"));  // ... but args.json cannot say it
}

TEST_CASE("what would help is said in flags") {
  const auto said = [](const graft::remedy& help) { return advice(graft::config_error("no", help)); };
  CHECK(said({}).empty());
  CHECK(said({"lora_r", "8"}) == ": give --lora_r 8");
  CHECK(said({"lora_target", "query, value"}) == ": give --lora_target query,value");
  CHECK(said({"flex_size", "48"}) == ": give --adapter_size 48");
  CHECK(said({"layer_norms_beside"}) == ": give --layer_norms_beside");
  CHECK(advice(graft::format_error("m", "carries no config", graft::remedy{"config_path"})) ==
        ": give its config.json as --model_config_path");
}
