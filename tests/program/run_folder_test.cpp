// The folder of a run: who may write there, where a run begins, and what may be taken away.

#include "run/run_folder.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/train/checkpoint.hpp"
#include "support/shared.hpp"

namespace {

namespace fs = std::filesystem;
using graft::ordered_json;
using graft::program::run_folder;
using graft_test::temporary_folder;
using start = run_folder::start;

ordered_json flags() {
  return {{"task_config_path", "t"}, {"output_dir", "o"},     {"learning_rate", 0.1}, {"seed", 3}, {"threads", 2}, {"resume", false},
          {"do_save", true},         {"do_save_full", false}, {"save_every_steps", 0}};
}
const graft::run_identity reads{{"training rows", "00ff"}};

/// A run that begins in FOLDER and leaves the files NAMES.
void begin(const std::string& folder, const std::vector<std::string>& names, bool finished = false, bool force = false) {
  run_folder run(folder);
  ordered_json args = flags();
  run.claim("train-adapter", args, false, force);
  run.begin(args, reads);
  const std::string logs = run.log_folder();
  fs::create_directory(logs);
  graft::write_file(logs + "/loss_train.zlog", "{}\n");
  for (const auto& name : names) graft::write_file(run.file(name), name);
  if (finished) run.finish();
}

/// Where the same command, or one whose FLAG is VALUE, would begin.
start where(const std::string& folder, bool resume = false, const char* flag = "seed", const ordered_json& value = 3) {
  run_folder run(folder);
  ordered_json args = flags();
  args[flag] = value;
  run.claim("train-adapter", args, resume, false);
  run.begin(args, reads);
  return run.where();
}

std::string refusal(const std::string& folder, bool resume = false, bool force = false, const char* command = "train-adapter") {
  try {
    run_folder run(folder);
    ordered_json args = flags();
    run.claim(command, args, resume, force);
  } catch (const graft::error& refused) {
    return refused.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a folder belongs to one run at a time, and one that was made in vain is taken away") {
  const temporary_folder root;
  {
    const run_folder first(root / "made/run/");
    CHECK_THROWS_WITH(run_folder(root / "made/run"), Catch::Contains("another run is writing there"));
    CHECK(fs::exists(root / "made/run"));
  }
  CHECK_FALSE(fs::exists(root / "made"));
  fs::create_directory(root / "mine");
  { const run_folder other(root / "mine"); }
  CHECK(fs::exists(root / "mine"));
}

TEST_CASE("room for what is saved at the end is kept until then, and found to be missing before") {
  const temporary_folder root;
  run_folder run(root / "run");
  ordered_json args = flags();
  run.claim("train-adapter", args, false, false);
  run.begin(args, reads);
  struct statvfs disk {};
  REQUIRE(::statvfs(root.path().c_str(), &disk) == 0);
  run.reserve(1 << 20);
  if (!fs::exists(run.file(".reserved")) || fs::file_size(run.file(".reserved")) == 0) return;  // a file system that cannot
  CHECK(fs::file_size(run.file(".reserved")) == 1 << 20);
  run.release();
  CHECK_FALSE(fs::exists(run.file(".reserved")));
  const auto too_much = static_cast<std::int64_t>(disk.f_blocks * disk.f_frsize);
  CHECK_THROWS_WITH(run.reserve(too_much), Catch::Contains("has no room for the") && Catch::Contains("make room"));
  CHECK_FALSE(fs::exists(run.file(".reserved")));
}

TEST_CASE("what a run reads does not lie in its folder, however it is spelt") {
  const temporary_folder root;
  const std::string folder = root / "run";
  fs::create_directories(folder + "/deep");
  graft::write_file(folder + "/deep/model.safetensors", "");
  graft::write_file(root / "outside", "");
  fs::create_directory(root / "cache");
  fs::create_symlink(folder + "/deep/model.safetensors", root / "cache/model.safetensors");
  const run_folder run(folder);
  for (const std::string& path : {folder + "/deep/model.safetensors", folder, root / "cache/model.safetensors", root / "cache",
                                  root / "cache/../run/./deep", fs::relative(folder + "/deep").string()}) {
    INFO(path);
    CHECK_THROWS_WITH(run.refuse_inputs({{"the model", path}}), Catch::Contains("the model, which the run is to read, lies there"));
  }
  CHECK_NOTHROW(run.refuse_inputs({{"the model", root / "outside"}, {"none", ""}, {"absent", folder + "/absent"}}));
}

TEST_CASE("files of others are neither written over nor removed, whatever the flags say") {
  const temporary_folder root;
  const std::string folder = root / "run";
  fs::create_directory(folder);
  const bool force = GENERATE(false, true);
  graft::write_file(folder + "/args.json", R"({"learning_rate": 1})");
  CHECK_THAT(refusal(folder, false, force), Catch::Contains("holds an args.json, but no run.json of a run that left it"));
  fs::remove(folder + "/args.json");
  graft::write_file(folder + "/model.safetensors", "mine");
  CHECK_THAT(refusal(folder, false, force), Catch::Contains("holds model.safetensors, but no run.json"));
  fs::remove(folder + "/model.safetensors");
  fs::create_directory(folder + "/val_preds.csv");
  CHECK_THAT(refusal(folder, false, force), Catch::Contains("val_preds.csv: is a link or a folder"));
  fs::remove(folder + "/val_preds.csv");
  fs::create_symlink(root / "elsewhere", folder + "/DONE");
  CHECK_THAT(refusal(folder, false, force), Catch::Contains("DONE: is a link or a folder"));
  fs::remove(folder + "/DONE");
  graft::write_file(folder + "/run.json", "{}");
  CHECK_THAT(refusal(folder, false, force), Catch::Contains("run.json: is not one that a run"));
}

TEST_CASE("a finished run is replaced only when that is asked for, and then only what it listed goes") {
  const temporary_folder root;
  const std::string folder = root / "run";
  begin(folder, {"model.safetensors"}, true);
  CHECK(graft::read_json(folder + "/run.json")["state"] == "finished");
  CHECK_THAT(refusal(folder), Catch::Contains("holds a finished run"));
  CHECK_THAT(refusal(folder, true), Catch::Contains("holds a finished run"));
  const std::string log = graft::read_json(folder + "/run.json")["logs"][0];
  graft::write_file(folder + "/" + log + "/photo", "mine");
  fs::create_directory(folder + "/2019");
  graft::write_file(folder + "/2019/loss_train.zlog", "mine");
  graft::write_file(folder + "/my_preds.csv", "mine");

  graft::write_file(folder + "/model.safetensors", "another one");
  CHECK_THAT(refusal(folder, false, true), Catch::Contains("model.safetensors: is not the file that the run in this folder wrote"));
  CHECK(graft::read_file(folder + "/model.safetensors") == "another one");
  graft::write_file(folder + "/model.safetensors", "model.safetensors");
  begin(folder, {}, false, true);
  CHECK_FALSE(fs::exists(folder + "/model.safetensors"));
  CHECK_FALSE(fs::exists(folder + "/DONE"));
  CHECK_FALSE(fs::exists(folder + "/" + log + "/loss_train.zlog"));
  for (const auto& theirs : {"/" + log + "/photo", std::string("/2019/loss_train.zlog"), std::string("/my_preds.csv")})
    CHECK(graft::read_file(folder + theirs) == "mine");
}

TEST_CASE("a run that was ended goes on where it was, with what it was asked and what it read") {
  const temporary_folder root;
  const std::string folder = root / "run";
  begin(folder, {});
  CHECK_THAT(refusal(folder, true), Catch::Contains("no checkpoint.safetensors to resume from"));
  CHECK(where(folder) == start::anew);
  CHECK(graft::read_json(folder + "/run.json")["logs"].size() == 1);  // its logs stay
  graft::write_file(folder + "/checkpoint.safetensors", "");
  CHECK_THAT(refusal(folder), Catch::Contains("was stopped; give --resume"));
  CHECK(where(folder, true) == start::from_checkpoint);
  graft::write_file(folder + "/model.safetensors", "");
  CHECK(where(folder) == start::after_training);
  CHECK(where(folder, true) == start::after_training);
  CHECK(where(folder, false, "threads", 7) == start::after_training);
  CHECK(where(folder, false, "seed", -1) == start::after_training);
  CHECK_THROWS_WITH(where(folder, true, "learning_rate", 0.2),
                    Catch::Contains("--learning_rate is 0.2, the run in") && Catch::Contains("with 0.1"));
  CHECK_THAT(refusal(folder, true, false, "train-multi-adapter"), Catch::Contains("holds a run of train-adapter"));
  run_folder run(folder);
  ordered_json args = flags();
  run.claim("train-adapter", args, false, false);
  CHECK_THROWS_WITH(run.begin(args, {{"training rows", "other"}}), Catch::Contains("training rows are not the same as then"));
  CHECK(fs::exists(folder + "/model.safetensors"));
}

TEST_CASE("what a killed run left half-written goes with its next start, and only that") {
  const temporary_folder root;
  const std::string folder = root / "run";
  begin(folder, {});
  auto state = graft::read_json<ordered_json>(folder + "/run.json");
  state["temporaries"] = {"0123456789abcdef"};
  graft::write_file(folder + "/run.json", state.dump());
  const std::string half = graft::temporary_name(folder + "/model.safetensors", "0123456789abcdef");
  const std::string theirs = graft::temporary_name(folder + "/model.safetensors", "fedcba9876543210");
  graft::write_file(half, "half");
  graft::write_file(theirs, "mine");
  CHECK(where(folder) == start::anew);
  CHECK_FALSE(fs::exists(half));
  CHECK(fs::exists(theirs));
}

TEST_CASE("a run that diverged says so instead of going there again") {
  const temporary_folder root;
  const std::string folder = root / "run";
  {
    run_folder run(folder);
    ordered_json args = flags();
    run.claim("train-adapter", args, false, false);
    run.begin(args, reads);
    graft::write_file(run.checkpoint(), "");
    run.diverged(12, "the loss is nan");
  }
  CHECK_THAT(refusal(folder, true), Catch::Contains("diverged (step 12: the loss is nan)"));
  CHECK_THAT(refusal(folder), Catch::Contains("diverged"));
  CHECK(refusal(folder, false, true).empty());
}

TEST_CASE("a folder of an earlier version is replaced when that is asked for, never gone on with") {
  const temporary_folder root;
  const std::string folder = root / "run";
  fs::create_directories(folder + "/1700000000");
  fs::create_directories(folder + "/1700000001");
  graft::write_file(folder + "/args.json", flags().dump());
  graft::write_file(folder + "/1700000000/loss_train.zlog", "{}\n");
  graft::write_file(folder + "/1700000001/other.zlog", "mine");
  graft::write_file(folder + "/checkpoint.safetensors", "");
  graft::write_file(folder + "/extra_preds.csv", "mine");
  CHECK_THAT(refusal(folder, true), Catch::Contains("of an earlier version of graft"));
  CHECK(fs::exists(folder + "/checkpoint.safetensors"));
  begin(folder, {}, false, true);
  CHECK_FALSE(fs::exists(folder + "/checkpoint.safetensors"));
  CHECK_FALSE(fs::exists(folder + "/1700000000"));
  CHECK(fs::exists(folder + "/1700000001/other.zlog"));
  CHECK(fs::exists(folder + "/extra_preds.csv"));
}

TEST_CASE("a seed of -1 is drawn when the folder is claimed, and the run that goes on has it") {
  const temporary_folder root;
  const auto seed_of = [&](bool resume) {
    run_folder run(root / "run");
    ordered_json args = flags();
    args["seed"] = -1;
    run.claim("train-adapter", args, resume, false);
    CHECK(run.asked().at("seed") == args["seed"].dump());
    run.begin(args, reads);
    run.log_folder();
    graft::write_file(run.checkpoint(), "");
    return args["seed"].get<std::int64_t>();
  };
  const auto drawn = seed_of(false);
  CHECK(drawn >= 0);
  CHECK(seed_of(true) == drawn);
}

TEST_CASE("nothing is written by path once the folder is another") {
  const temporary_folder root;
  run_folder run(root / "run");
  ordered_json args = flags();
  run.claim("train-adapter", args, false, false);
  run.begin(args, reads);
  CHECK_NOTHROW(run.require_here());
  fs::rename(root / "run", root / "moved");
  CHECK_THROWS_WITH(run.finish(), Catch::Contains("is no longer the folder of this run, which was moved to"));
  begin(root / "run", {"model.safetensors"}, true);
  CHECK_THROWS_WITH(run.finish(), Catch::Contains("nothing more was written"));
  CHECK_FALSE(fs::exists(root / "moved/DONE"));
}

TEST_CASE("a finished run stays where there is no room for the one that is to replace it") {
  const temporary_folder root;
  begin(root / "run", {"model.safetensors"}, true);
  run_folder run(root / "run");
  ordered_json args = flags();
  run.claim("train-adapter", args, false, true);
  CHECK_THROWS_WITH(run.require_disk_space(std::int64_t{1} << 60), Catch::Contains("has no room for the"));
  CHECK(fs::exists(root / "run/model.safetensors"));
  CHECK_NOTHROW(run.require_disk_space(1));
}

TEST_CASE("a finished run goes only for --force_overwrite without --resume, which args.json does not keep") {
  const temporary_folder root;
  const std::string folder = root / "run";
  begin(folder, {"model.safetensors"}, true);
  CHECK_THAT(refusal(folder, true, true), Catch::Contains("holds a finished run") && Catch::Contains("without --resume"));
  CHECK(refusal(folder, false, true).empty());
  CHECK_FALSE(graft::read_json(folder + "/args.json").contains("resume"));
  auto state = graft::read_json<ordered_json>(folder + "/run.json");
  state["state"] = "clearing";
  graft::write_file(folder + "/run.json", state.dump());
  CHECK_THAT(refusal(folder), Catch::Contains("what is left of a run that --force_overwrite was replacing"));
  CHECK(refusal(folder, false, true).empty());
}

TEST_CASE("logs sort by start though the clock was set back, and what a first start left half-written goes") {
  const temporary_folder root;
  const std::string folder = root / "run";
  begin(folder, {"checkpoint.safetensors"});
  auto state = graft::read_json<ordered_json>(folder + "/run.json");
  state["logs"] = ordered_json::array({"99999999999"});
  graft::write_file(folder + "/run.json", state.dump());
  graft::write_file(folder + "/.run.json.0123456789abcdef.tmp", "");
  graft::write_file(folder + "/.run.json.mine.tmp", "");
  run_folder run(folder);
  ordered_json args = flags();
  run.claim("train-adapter", args, true, false);
  run.begin(args, reads);
  CHECK(run.log_folder() == folder + "/100000000000");
  CHECK_FALSE(fs::exists(folder + "/.run.json.0123456789abcdef.tmp"));
  CHECK(fs::exists(folder + "/.run.json.mine.tmp"));
}

TEST_CASE("an adapter's card is no part of its digest") {
  const temporary_folder root;
  graft::write_file(root / "adapter_config.json", "{}");
  const auto before = graft::program::input_digest(root.path());
  for (const char* stray : {"README.md", ".DS_Store", "._adapter_config.json"}) graft::write_file(root / stray, "x");
  CHECK(graft::program::input_digest(root.path()) == before);
  graft::write_file(root / "adapter_config.json", "{ }");
  CHECK(graft::program::input_digest(root.path()) != before);
}
