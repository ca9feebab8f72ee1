#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "graft/core/json.hpp"
#include "program/run.hpp"

using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

namespace fs = std::filesystem;
const std::string peers = GRAFT_TEST_DIR "/golden/peers/";

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> result;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, '\t');) result.push_back(cell);
  return result;
}

/// The answers of `graft predict` with the model or adapter in FOLDER are those of the library.
void check_answers(const graft::json& expected, const std::string& folder) {
  INFO(folder);
  const std::string base = expected.at("base").get<std::string>();
  std::vector<std::string> arguments{"predict", "--model_path",
                                     base.empty() ? folder + "/" + expected.value("model", "") : peers + "bases/" + base};
  if (!base.empty()) arguments.insert(arguments.end(), {"--adapter_path", folder});
  if (expected.value("adapter", "") != "")
    arguments.insert(arguments.end(), {"--adapter_path", folder + "/" + expected.value("adapter", "")});
  for (std::string flag : expected.at("flags")) {
    for (const auto& [name, path] : std::map<std::string, std::string>{{"{base}", peers + "bases/" + base}, {"{out}", folder}}) {
      if (const auto at = flag.find(name); at != std::string::npos) flag.replace(at, name.size(), path);
    }
    arguments.push_back(flag);
  }
  arguments.insert(arguments.end(), {"--precision", "f32", "--threads", "1", "--input", peers + "rows.jsonl"});
  const auto result = run_graft(arguments);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  std::istringstream table(result.out);
  std::string line;
  std::getline(table, line);
  const auto header = cells(line);
  std::vector<std::string> labels;
  for (const std::string& name : header) {  // P(label), or prediction(label) of a regression of several
    if (const auto at = name.find('('); at != std::string::npos) labels.push_back(name.substr(at + 1, name.size() - at - 2));
  }
  if (!expected.at("labels").is_null()) CHECK(labels == expected.at("labels").get<std::vector<std::string>>());
  const std::size_t first = header.size() - std::max<std::size_t>(1, labels.size());
  for (const auto& numbers : expected.at("answers")) {
    REQUIRE(std::getline(table, line));
    const auto row = cells(line);
    REQUIRE(row.size() == first + numbers.size());
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      const double number = numbers[k];
      CHECK(std::stod(row[first + k]) == Approx(number).margin(1e-5).epsilon(0));
    }
  }
  CHECK(!std::getline(table, line));
}

}  // namespace

TEST_CASE("Files of AdapterHub, PEFT and transformers give their answers, and so do those that graft writes of them") {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(peers)) {
    if (entry.path().filename() != "case.json") continue;
    ++count;
    const std::string folder = entry.path().parent_path().string();
    const graft::json expected = graft::read_json(entry.path().string());
    check_answers(expected, folder);
    if (fs::exists(folder + "/tuned/adapter_model.safetensors")) {  // merged, its head becomes the model's
      const temporary_folder merged;
      const auto result = run_graft({"export-model", folder + "/base", "--output_base_path", merged / "out", "--without_tokenizer",
                                     "--merge_lora", folder + "/tuned"});
      INFO(result.err);
      REQUIRE(result.exit_code == 0);
      auto alone = expected;
      alone["model"] = alone["adapter"] = "";
      check_answers(alone, merged / "out/model");
    }
    const std::string to = expected.at("to").get<std::string>();
    if (to.empty()) continue;
    const temporary_folder written;
    const std::string base = peers + "bases/" + expected.at("base").get<std::string>();
    for (const auto& [from, target, form] :
         {std::tuple{folder, written / "ours", std::string("graft")}, {written / "ours", written / "back", to}}) {
      const auto result =
          run_graft({"convert-adapter", "--adapter_path", from, "--output_path", target, "--to", form, "--model_path", base});
      INFO(result.err);
      REQUIRE(result.exit_code == 0);
    }
    check_answers(expected, written / "back");
  }
  CHECK(count > 0);
}
