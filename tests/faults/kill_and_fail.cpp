// Ends runs of the program at random moments (kill -9), and makes each of their calls that write fail in turn, then gives the same command
// again: it ends with the bits of a run that nobody disturbed, or with one line that says why not; and nothing that was saved is gone.
//   kill_and_fail PROGRAM INTERPOSER GOLDEN_MODEL MOMENTS SEED      MOMENTS: kills a scenario; 0 < MOMENTS < 50 takes a sample of the calls

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "support/shared.hpp"

extern char** environ;

namespace {

namespace fs = std::filesystem;
using words = std::vector<std::string>;
using contents = std::map<std::string, std::string>;

std::string program, interposer, golden;
long runs = 0, failures = 0;

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct ending {
  int code;
  std::string err;
};

struct process {
  pid_t id;
  std::string err_path;

  process(const words& command, const words& variables, const std::string& err) : id(0), err_path(err) {
    ++runs;
    words all{program};
    all.insert(all.end(), command.begin(), command.end());
    std::vector<char*> arguments, environment;
    for (auto& word : all) arguments.push_back(word.data());
    words set = variables;
    set.emplace_back("OMP_WAIT_POLICY=passive");
    for (auto& word : set) environment.push_back(word.data());
    for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
    arguments.push_back(nullptr);
    environment.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (::posix_spawn(&id, program.c_str(), &files, nullptr, arguments.data(), environment.data()) != 0) std::exit(2);
    ::posix_spawn_file_actions_destroy(&files);
  }
  ending wait() const {
    int status = 0;
    while (::waitpid(id, &status, 0) < 0 && errno == EINTR) {
    }
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), bytes_of(err_path)};
  }
};

/// A command that writes, and what it is to leave.
struct scenario {
  std::string name;
  std::function<words(const std::string& folder)> command;                // writes into FOLDER/out
  words results;                                                          // in FOLDER/out; their bytes are compared
  std::function<void(const std::string& folder)> prepare = [](auto&) {};  // what is there before
  bool resumes = false;
  bool grows = false;  // a result may have been written in part
};

contents results_in(const scenario& s, const std::string& folder) {
  contents found;
  for (const auto& name : s.results) {
    if (fs::exists(folder + "/out/" + name)) found[name] = bytes_of(folder + "/out/" + name);
  }
  return found;
}

void expect(bool fine, const scenario& s, const std::string& when, const std::string& what) {
  if (fine) return;
  ++failures;
  std::printf("FAILED  %s, %s: %s\n", s.name.c_str(), when.c_str(), what.c_str());
  std::fflush(stdout);
}

bool one_line(const std::string& err) { return err.starts_with("graft: ") && err.find('\n') == err.size() - 1; }

/// What must hold after S was disturbed in FOLDER, and after it is begun again.
void check_again(const scenario& s, const std::string& folder, const contents& before, const contents& expected, const std::string& when) {
  const contents saved = results_in(s, folder);
  const auto known = [&](const std::string& name, const std::string& bytes) {
    const auto now = expected.find(name), old = before.find(name);
    return (now != expected.end() && now->second == bytes) || (old != before.end() && old->second == bytes);
  };
  for (const auto& [name, bytes] : saved) {
    const bool part = s.grows && expected.contains(name) && expected.at(name).starts_with(bytes);
    expect(known(name, bytes) || part, s, when, "half a file: " + name);
  }
  for (const auto& [name, bytes] : before) expect(saved.contains(name) || !expected.contains(name), s, when, "gone: " + name);
  const words command = s.command(folder);
  const std::string err = folder + "/err";
  ending end = process(command, {}, err).wait();
  const contents after = results_in(s, folder);
  for (const auto& [name, bytes] : saved)
    expect(after.contains(name) && known(name, after.at(name)), s, when, "gone when begun again: " + name);
  if (end.code != 0) {
    expect(one_line(end.err), s, when, "exit code " + std::to_string(end.code) + ", " + end.err);
    if (end.err.find("finished run") == std::string::npos) {
      words more = command;
      more.emplace_back(s.resumes ? "--resume" : "--force_overwrite");
      end = process(more, {}, err).wait();
      expect(end.code == 0, s, when, "goes on with exit code " + std::to_string(end.code) + ": " + end.err);
    }
  }
  expect(results_in(s, folder) == expected, s, when, "other results than those of a run that nobody disturbed");
}

words flags_of_run(const std::string& command, const std::string& task, const std::string& folder) {
  return {command,
          "--task_config_path",
          task,
          "--model_path",
          golden + "/model.safetensors",
          "--output_dir",
          folder + "/out",
          "--do_train",
          "--do_save",
          "--do_val",
          "--do_test",
          "--max_seq_length",
          "10",
          "--seed",
          "5",
          "--threads",
          "1",
          "--train_batch_size",
          "3",
          "--dropout",
          "0.1",
          "--eval_every_steps",
          "4",
          "--save_every_steps",
          "3",
          "--learning_rate",
          "1e-2"};
}

std::vector<scenario> scenarios(const std::string& material) {
  std::string rows;
  for (int i = 0; i < 9; ++i)
    rows += "{\"input_ids\": [0, " + std::to_string(5 + i) + ", " + std::to_string(9 + i % 4) +
            ", 2], \"label\": " + std::to_string(i % 2) + "}\n";
  graft::write_file(material + "/rows.jsonl", rows);
  const std::string task = material + "/task.json";
  graft::write_file(task, graft::json{{"task", "custom"},
                                      {"name", "mine"},
                                      {"kind", "classification"},
                                      {"labels", {"0", "1"}},
                                      {"paths", {{"train", "rows.jsonl"}, {"val", "rows.jsonl"}, {"test", "rows.jsonl"}}}}
                              .dump());
  const std::string list = material + "/adapters.json";
  graft::write_file(list, graft::json{{"rte", golden + "/adapter_rte.safetensors"}, {"mrpc", golden + "/adapter_mrpc.safetensors"}}.dump());
  fs::create_directories(material + "/glue/RTE");
  for (const char* split : {"train", "dev"})
    graft::write_file(material + "/glue/RTE/" + split + ".tsv", "index\tsentence1\tsentence2\tlabel\n0\tOne.\tTwo.\tnot_entailment\n");
  fs::create_directories(material + "/hf");
  for (const char* name : {"config.json", "model.safetensors"}) fs::copy_file(golden + "/" + name, material + "/hf/" + name);

  const words trained{"model.safetensors", "val_metrics.json",     "val_preds.csv", "val_report.json",
                      "test_preds.csv",    "test_predictions.tsv", "DONE"};
  std::vector<scenario> all;
  all.push_back({"train-adapter",
                 [=](const std::string& folder) {
                   words run = flags_of_run("train-adapter", task, folder);
                   run.insert(run.end(), {"--adapter_size", "4"});
                   return run;
                 },
                 trained, [](auto&) {}, true});
  all.push_back({"train-multi-adapter",
                 [=](const std::string& folder) {
                   words run = flags_of_run("train-multi-adapter", task, folder);
                   run.insert(run.end(), {"--adapter_weights_path", list});
                   return run;
                 },
                 trained, [](auto&) {}, true});
  all.push_back({"export-model",
                 [=](const std::string& folder) {
                   return words{"export-model", material + "/hf", "--without_tokenizer", "--output_base_path", folder + "/out"};
                 },
                 {"model/model.safetensors", "model/config.json"}});
  all.push_back({"export-model over another one",
                 [=](const std::string& folder) {
                   return words{"export-model",       material + "/hf", "--without_tokenizer",
                                "--output_base_path", folder + "/out",  "--force_overwrite"};
                 },
                 {"model/model.safetensors", "model/config.json"},
                 [=](const std::string& folder) {
                   fs::create_directories(folder + "/out/model");
                   for (const char* name : {"config.json", "model.safetensors"})
                     fs::copy_file(golden + "/" + name, folder + "/out/model/" + name);
                 }});
  const auto convert = [=](const std::string& from, const std::string& to) {
    return words{"convert-adapter",
                 "--adapter_path",
                 from,
                 "--output_path",
                 to,
                 "--to",
                 "adapterhub",
                 "--layer_norms_beside",
                 "--model_path",
                 golden + "/model.safetensors"};
  };
  const words hub{"adapter_config.json", "pytorch_adapter.bin", "head_config.json", "pytorch_model_head.bin", "layer_norms.safetensors"};
  all.push_back(
      {"convert-adapter", [=](const std::string& folder) { return convert(golden + "/adapter_rte.safetensors", folder + "/out"); }, hub});
  all.push_back({"convert-adapter onto what it reads",
                 [=](const std::string& folder) {
                   words run = convert(folder + "/out", folder + "/out");
                   run.insert(run.end(), {"--force_overwrite", "--adapter_name", "other"});
                   return run;
                 },
                 hub,
                 [=](const std::string& folder) {
                   if (process(convert(golden + "/adapter_rte.safetensors", folder + "/out"), {}, folder + "/err").wait().code != 0)
                     std::exit(2);
                 }});
  all.push_back({"merge-adapters into an encoder, over another one",
                 [=](const std::string& folder) {
                   return words{
                       "merge-adapters", "--model_path",  material + "/hf",   "--adapter_path", GRAFT_TEST_DIR "/golden/exchange/peft_lora",
                       "--output_path",  folder + "/out", "--force_overwrite"};
                 },
                 {"model.safetensors", "config.json"},
                 [=](const std::string& folder) { fs::copy(material + "/hf", folder + "/out"); }});
  all.push_back({"merge-adapters of several",
                 [=](const std::string& folder) {
                   return words{"merge-adapters", "--model_path", material + "/hf", "--adapter_weights_path",        list,
                                "--to",           "graft",        "--output_path",  folder + "/out/mean.safetensors"};
                 },
                 {"mean.safetensors"}});
  for (const bool goes_on : {false, true}) {
    all.push_back({goes_on ? "predict, going on" : "predict",
                   [=](const std::string& folder) {
                     words run{"predict",
                               "--model_path",
                               golden + "/model.safetensors",
                               "--adapter_path",
                               golden + "/adapter_rte.safetensors",
                               "--input",
                               material + "/rows.jsonl",
                               "--output",
                               folder + "/out/answers.tsv"};
                     if (goes_on) run.emplace_back("--resume");
                     return run;
                   },
                   {"answers.tsv"},
                   [](const std::string& folder) { fs::create_directories(folder + "/out"); },
                   goes_on,
                   true});
  }
  all.push_back({"prepare-tasks",
                 [=](const std::string& folder) {
                   return words{"prepare-tasks", "--input_base_path", material + "/glue", "--output_base_path", folder + "/out"};
                 },
                 {"configs/rte.json"}});
  all.push_back({"plot",
                 [=](const std::string& folder) {
                   return words{"plot", material + "/run/out", "--output_dir", folder + "/out"};
                 },
                 {"loss.svg", "validation.svg", "report.html"}});
  return all;
}

void run_scenario(const scenario& s, const std::string& root, long moments, std::mt19937_64& random) {
  const auto fresh = [&] {
    const std::string folder = root + "/work";
    fs::remove_all(folder);
    fs::create_directories(folder);
    s.prepare(folder);
    return folder;
  };
  const std::string folder = fresh();
  const contents before = results_in(s, folder);
  const auto started = std::chrono::steady_clock::now();
  const ending whole = process(s.command(folder), {}, folder + "/err").wait();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const contents expected = results_in(s, folder);
  expect(whole.code == 0 && expected.size() == s.results.size(), s, "undisturbed", whole.err);
  if (whole.code != 0) return;

  for (long i = 0; i < moments; ++i) {
    fresh();
    const double moment = std::uniform_real_distribution<double>(0, seconds * 1.05)(random);
    process run(s.command(folder), {}, folder + "/err");
    std::this_thread::sleep_for(std::chrono::duration<double>(moment));
    ::kill(run.id, SIGKILL);
    run.wait();
    check_again(s, folder, before, expected, "killed after " + std::to_string(moment) + " s");
  }

  const words watch{"LD_PRELOAD=" + interposer, "GRAFT_FAULT_FOLDER=" + folder + "/", "GRAFT_FAULT_COUNT=" + root + "/count"};
  fresh();
  process(s.command(folder), watch, folder + "/err").wait();
  const long calls = std::atol(bytes_of(root + "/count").c_str());
  expect(calls > 2, s, "watched", "only " + std::to_string(calls) + " calls");
  struct fault {
    long at;
    int error;
    bool onward;
  };
  std::vector<fault> faults;
  for (long at = 1; at <= calls; ++at) {
    for (const int error : {ENOSPC, EIO, EACCES}) faults.push_back({at, error, false});
    faults.push_back({at, ENOSPC, true});
  }
  if (moments < 50) {
    std::shuffle(faults.begin(), faults.end(), random);
    faults.resize(std::min(faults.size(), static_cast<std::size_t>(moments)));
  }
  for (const fault& f : faults) {
    fresh();
    words variables = watch;
    variables.push_back("GRAFT_FAULT_AT=" + std::to_string(f.at));
    variables.push_back("GRAFT_FAULT_ERRNO=" + std::to_string(f.error));
    variables.push_back(std::string("GRAFT_FAULT_ONWARD=") + (f.onward ? "1" : "0"));
    const ending end = process(s.command(folder), variables, folder + "/err").wait();
    const std::string when = "call " + std::to_string(f.at) + " of " + std::to_string(calls) + " failed with " + std::to_string(f.error) +
                             (f.onward ? " and all after it" : "");
    if (end.code == 0) {
      expect(results_in(s, folder) == expected, s, when, "exit code 0, and results are missing: " + end.err);
    } else {
      expect(end.code == 1 && end.err.ends_with('\n') && end.err.starts_with("graft: "), s, when,
             "exit code " + std::to_string(end.code) + ", " + end.err);
    }
    check_again(s, folder, before, expected, when);
  }
  std::printf("%-34s %ld kills, %zu failing calls of %ld\n", s.name.c_str(), moments, faults.size(), calls);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  program = argv[1];
  interposer = argv[2];
  golden = argv[3];
  const long moments = std::atol(argv[4]);
  std::mt19937_64 random(static_cast<std::uint64_t>(std::atol(argv[5])));
  const graft_test::temporary_folder root, material;
  const auto all = scenarios(material.path());
  fs::create_directories(material / "run");
  if (process(all[0].command(material / "run"), {}, root / "err").wait().code != 0) return 2;  // for plot
  for (const scenario& s : all) run_scenario(s, root.path(), moments, random);
  std::printf("%ld runs, %ld failures, seed %s\n", runs, failures, argv[5]);
  return failures == 0 ? 0 : 1;
}
