// --precision from outside: what the banner says, that bf16 comes near f32, and that threads change nothing.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "graft/core/file.hpp"
#include "graft/gemm/tile_kernels.hpp"
#include "program/training_material.hpp"

using graft_test::is_one_line_error;
using graft_test::own_golden;
using graft_test::run_graft;
using graft_test::temporary_folder;
using graft_test::tiny_run;
using graft_test::with;

namespace {

/// Whether this processor multiplies bf16 on matrix tiles, AVX-512 or NEON, as Linux says; nothing where it does not say.
std::optional<bool> multiplies_bf16() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;  // of x86, of ARM
    std::istringstream words(line);
    const std::set<std::string> flags{std::istream_iterator<std::string>(words), {}};
    return flags.contains("avx512_bf16") || flags.contains("bf16") || (flags.contains("amx_tile") && flags.contains("amx_bf16"));
  }
  return {};
}

}  // namespace

TEST_CASE("a run in bf16 comes near one in f32, predicts, and does not depend on threads") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const auto run = [&](const std::string& name, const std::vector<std::string>& more) {
    return run_graft(with(with(tiny_run("train-adapter", task, folder / name), {"--do_save"}), more));
  };
  const auto f32 = run("f32", {"--precision", "f32"});
  const auto bf16 = run("bf16", {"--precision", "bf16"});
  REQUIRE(bf16.exit_code == 0);
  CHECK(bf16.err.empty());
  CHECK_THAT(f32.out, Catch::Contains(", f32, about"));
  CHECK_THAT(bf16.out, Catch::Contains(", bf16 on "));
  const auto exact = graft_test::read_log(folder / "f32", "loss_train"), rounded = graft_test::read_log(folder / "bf16", "loss_train");
  REQUIRE(exact.size() == rounded.size());
  bool differs = false;
  for (std::size_t k = 0; k < exact.size(); ++k) {
    const double a = exact[k]["loss_val"], b = rounded[k]["loss_val"];
    CHECK(std::abs(a - b) <= 0.05);
    differs = differs || a != b;
  }
  CHECK(differs);  // or bf16 is not what ran

  for (const char* precision : {"f32", "bf16"}) {
    INFO(precision);
    REQUIRE(run("three", {"--precision", precision, "--threads", "3", "--force_overwrite"}).exit_code == 0);
    CHECK(graft::read_file(folder / "three/model.safetensors") ==
          graft::read_file(folder / (std::string(precision) + "/model.safetensors")));
    const auto predicted =
        run_graft({"predict", "--precision", precision, "--model_path", own_golden() + "/model.safetensors", "--model_config_path",
                   own_golden() + "/config.json", "--adapter_path", folder / "bf16", "--input", folder / "task.jsonl"});
    CHECK(predicted.exit_code == 0);
    CHECK_THAT(predicted.out, Catch::StartsWith("index\tprediction\tP(0)"));
  }
}

TEST_CASE("auto is bf16 where the processor multiplies it, says what it took and why, and a tile path of no meaning is refused") {
  const temporary_folder folder;
  const std::string task = graft_test::write_golden_task(own_golden(), folder.path());
  const auto run = with(tiny_run("train-adapter", task, folder / "run"), {"--max_steps", "1", "--force_overwrite"});
  const char* before = std::getenv("GRAFT_TILES");
  const std::string kept = before == nullptr ? "" : before;
  ::unsetenv("GRAFT_TILES");
  if (const auto fast = multiplies_bf16()) {
    const auto found = run_graft(run);
    CHECK(found.exit_code == 0);
    CHECK_THAT(found.out, Catch::Contains(*fast ? ", bf16 on " : ", f32 (auto: no instructions "));
    CHECK_THAT(found.out, Catch::Contains("(auto"));
  } else {
    std::cerr << "SKIPPED: /proc/cpuinfo has no flags of a processor, what auto is here is not tested\n";
  }
  ::setenv("GRAFT_TILES", "portable", 1);
  const auto without = run_graft(run);
  CHECK(without.exit_code == 0);
  CHECK_THAT(without.out, Catch::Contains(std::string("f32 (auto: no instructions for bf16 here; --precision bf16 would run on ") +
                                          graft::detail::first_that_runs(graft::detail::bf16_kernels()).name + ")"));
  ::setenv("GRAFT_TILES", "on", 1);
  const auto refused = run_graft(run);
  CHECK(refused.exit_code == 1);
  CHECK(is_one_line_error(refused.err));
  CHECK_THAT(refused.err, Catch::Contains("GRAFT_TILES is \"on\""));
  if (before == nullptr) {
    ::unsetenv("GRAFT_TILES");
  } else {
    ::setenv("GRAFT_TILES", kept.c_str(), 1);
  }
}
