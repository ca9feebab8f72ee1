// The graft program: picks the sub-command, and turns what it throws into one line on stderr and an exit code.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "flags.hpp"
#include "graft/version.hpp"

namespace {

using namespace graft::program;

struct command {
  const char* name;
  const char* summary;
  int (*run)(int argc, const char* const* argv);
};

constexpr command commands[] = {
    {"export-model", "turn a Hugging Face folder into one flat model file", export_model},
    {"prepare-tasks", "find the tasks of a GLUE folder and write a configuration for each", prepare_tasks},
    {"train-adapter", "train one adapter on a task, evaluate, predict, save", train_adapter},
    {"train-multi-adapter", "mix trained adapters and learn how much weight each gets", train_multi_adapter},
    {"convert-adapter", "bring an adapter from another program, or take it there", convert_adapter},
    {"predict", "label rows of text with what was trained", predict},
    {"plot", "draw the logs of a run", plot},
    {"tokenize", "turn lines of text into token ids", tokenize},
};

std::string help() {
  std::string text = "usage: graft SUB-COMMAND [FLAGS]\n\nTunes frozen RoBERTa and BERT encoders with adapters, on CPUs.\n\n";
  for (const auto& each : commands) {
    text += "  " + std::string(each.name);
    text += std::string(22 - std::string_view(each.name).size(), ' ') + each.summary + '\n';
  }
  return text +
         "\ngraft SUB-COMMAND --help lists the flags of one; graft --version prints the version.\n\n"
         "From a Hugging Face folder and GLUE files to a trained adapter:\n"
         "  graft export-model --model_type roberta-base --model_path roberta-base --output_base_path model\n"
         "  graft prepare-tasks --input_base_path glue --output_base_path tasks\n"
         "  graft train-adapter --ZZsrc model/config.json --task_config_path tasks/configs/rte.json \\\n"
         "      --output_dir runs/rte --do_train --do_val --do_save\n"
         "  graft plot runs/rte\n";
}

int run(int argc, const char* const* argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name.empty()) throw usage_error("a sub-command is missing (graft --help lists them)");
  if (name == "--help" || name == "-h" || name == "help") {
    std::cout << help();
    return 0;
  }
  if (name == "--version") {
    std::cout << "graft " << GRAFT_VERSION_MAJOR << '.' << GRAFT_VERSION_MINOR << '.' << GRAFT_VERSION_PATCH << '\n';
    return 0;
  }
  std::vector<std::string> names;
  for (const auto& each : commands) {
    if (name == each.name) return each.run(argc - 1, argv + 1);
    names.emplace_back(each.name);
  }
  const std::string near = nearest(name, names);
  throw usage_error('"' + name + "\" is no sub-command" + (near.empty() ? "" : "; did you mean " + near + "?") +
                    " (graft --help lists them)");
}

/// "graft: MESSAGE", on one line whatever the message holds.
int failed(std::string message, int exit_code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::cerr << "graft: " << message << '\n';
  return exit_code;
}

}  // namespace

/// Makes threads spin at barriers for some microseconds, then sleep. By default they spin on, and when another process keeps a core busy
/// each barrier then costs milliseconds; asleep at once, they wake up late for the many short products of a step. The OpenMP run-time
/// reads its settings before main, so the program starts itself anew with them.
void let_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  ::setenv("GOMP_SPINCOUNT", "3000", 1);
  ::execv("/proc/self/exe", argv);  // returns only if it cannot: then it goes on as it is
}

/// A file must not get the number of a standard stream that was closed: what is printed would go into it.
void open_standard_streams() {
  for (const int stream : {0, 1, 2}) {
    if (::fcntl(stream, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0) return;
  }
}

int main(int argc, char** argv) {
  open_standard_streams();
  let_threads_sleep(argv);
  try {
    const int exit_code = run(argc, argv);
    if (!std::cout.flush()) throw graft::backend_error("standard output cannot be written");
    return exit_code;
  } catch (const usage_error& failure) {
    return failed(failure.what(), 2);
  } catch (const std::bad_alloc&) {
    return failed("out of memory", 1);
  } catch (const std::exception& failure) {
    return failed(failure.what(), 1);
  }
}
