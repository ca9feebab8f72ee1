// The graft program: picks the sub-command, and turns what it throws into one line on stderr and an exit code.

#include <fcntl.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "commands/commands.hpp"
#include "flags/advice.hpp"
#include "flags/flags.hpp"
#include "flags/pages.hpp"
#include "graft/core/json.hpp"
#include "graft/core/mapping.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/version.hpp"
#include "host/lost_pages.hpp"
#include "host/machine.hpp"
#include "host/ranks.hpp"
#include "host/standard_input.hpp"

namespace {

using namespace graft::program;

struct command {
  const char* name;
  const char* summary;
  int (*run)(int argc, const char* const* argv);
  bool on_ranks = false;  // processes that mpirun starts run it together
};

constexpr command commands[] = {
    {"export-model", "turn a Hugging Face folder into one flat model file", export_model},
    {"prepare-tasks", "find the tasks of a GLUE folder and write a configuration for each", prepare_tasks},
    {"train-adapter", "train one adapter on a task, evaluate, predict, save", train_adapter, true},
    {"train-multi-adapter", "mix trained adapters and learn how much weight each gets", train_multi_adapter, true},
    {"convert-adapter", "bring an adapter from another program, or take it there", convert_adapter},
    {"merge-adapters", "make adapters part of the encoder, or one of several", merge_adapters},
    {"predict", "label rows of text with what was trained", predict, true},
    {"evaluate", "score rows whose labels are known", evaluate, true},
    {"embed", "turn rows of text into vectors, as sentence-transformers does", embed, true},
    {"plot", "draw the logs of a run", plot},
    {"sweep", "list the command lines of a grid of runs", sweep},
    {"report", "compare finished runs: a table, a page, and what may be chance", report},
    {"tokenize", "turn lines of text into token ids", tokenize},
};

std::string help() {
  std::string text = "usage: graft SUB-COMMAND [FLAGS]\n\nTunes frozen RoBERTa and BERT encoders with adapters, on CPUs.\n\n";
  for (const auto& each : commands) {
    text += "  " + std::string(each.name);
    text += std::string(22 - std::string_view(each.name).size(), ' ') + each.summary + '\n';
  }
  return text +
         "\ngraft SUB-COMMAND --help lists the flags of one; graft --version prints the version, and\n"
         "graft --help=man, bash or zsh the manual page, or what completes command lines there.\n\n"
         "From a Hugging Face folder and GLUE files to a trained adapter:\n"
         "  graft export-model --model_type roberta-base --model_path roberta-base --output_base_path model\n"
         "  graft prepare-tasks --input_base_path glue --output_base_path tasks\n"
         "  graft train-adapter --ZZsrc model/config.json --task_config_path tasks/configs/rte.json \\\n"
         "      --output_dir runs/rte --do_train --do_val --do_save\n"
         "  graft plot runs/rte\n";
}

/// The manual page, or what completes command lines: WANTED is --help=FORM.
int print_page(const std::string& wanted) {
  const std::string form = wanted.substr(wanted.find('=') + 1);
  command_list list;
  for (const auto& each : commands) list.emplace_back(each.name, each.summary);
  std::cout << page_head(form, list);
  for (const auto& each : commands) {
    const char* const arguments[] = {each.name, wanted.c_str()};
    each.run(2, arguments);
  }
  std::cout << page_tail(form, list);
  return 0;
}

int run(int argc, const char* const* argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name.empty()) throw usage_error("a sub-command is missing (graft --help lists them)");
  if (name == "--help" || name == "-h" || name == "help") {
    std::cout << help();
    return 0;
  }
  if (name.starts_with("--help=")) return print_page(name);
  if (name == "--version") {
    std::cout << "graft " << GRAFT_VERSION_MAJOR << '.' << GRAFT_VERSION_MINOR << '.' << GRAFT_VERSION_PATCH << '\n';
    return 0;
  }
  std::vector<std::string> names;
  for (const auto& each : commands) {
    if (name == each.name && each.on_ranks) join_ranks(name);
    if (name == each.name && !each.on_ranks) refuse_ranks(name);
    if (name == each.name) return each.run(argc - 1, argv + 1);
    names.emplace_back(each.name);
  }
  const std::string near = nearest(name, names);
  throw usage_error('"' + name + "\" is no sub-command" + (near.empty() ? "" : "; did you mean " + near + "?") +
                    " (graft --help lists them)");
}

/// "graft: MESSAGE", on one line whatever the message holds.
int failed(std::string_view message, int exit_code, bool names_rank = true) {
  const std::string who = begin_last_words(names_rank);  // which may be what lets this process speak
  std::cerr << "graft: " << who << graft::printable(message, 4000) << '\n';
  return exit_code;
}

/// Says in one line what THROWN is about; the exit code.
int failed(const std::exception_ptr& thrown) {
  const std::string unexpected = "; graft did not expect this: please report it, with the command and what it reads";
  try {
    std::rethrow_exception(thrown);
  } catch (const usage_error& failure) {
    return failed(failure.what(), 2);
  } catch (const lost_file& failure) {
    return failed(failure.what(), lost_file_exit_code);
  } catch (const ranks_differ& failure) {
    return failed(failure.what(), 1, false);
  } catch (const graft::error& failure) {
    return failed(failure.what() + advice(failure), 1);
  } catch (const std::bad_alloc&) {
    return failed("out of memory: this process may have " + graft::fixed_text(memory_limit() / 1e9, 2) +
                      " GB (the machine's memory, ulimit -v, or a container's limit); " + less_memory,
                  1);
  } catch (const std::length_error&) {
    return failed("a size is larger than any memory" + unexpected, 1);
  } catch (const std::filesystem::filesystem_error& failure) {
    const std::string other = failure.path2().empty() ? "" : " (and " + failure.path2().string() + ")";
    return failed(failure.path1().string() + other + ": cannot be used: " + failure.code().message(), 1);
  } catch (const std::system_error& failure) {
    return failed("the operating system refused: " + failure.code().message(), 1);
  } catch (const graft::json::exception& failure) {
    if (failure.id == 316)
      return failed("a name or text that is not UTF-8 would have to be written as JSON: give it another name, in UTF-8", 1);
    return failed("a JSON file holds a value of another kind than expected (json error " + std::to_string(failure.id) + ")" + unexpected,
                  1);
  } catch (const std::exception& failure) {
    return failed(failure.what() + unexpected, 1);
  } catch (...) {
    return failed("an unknown failure" + unexpected, 1);
  }
}

/// What is thrown where nothing can catch it, on a thread of a team for one, ends the program with its line all the same.
[[noreturn]] void end_with_line() {
  std::_Exit(failed(std::current_exception() ? std::current_exception() : std::make_exception_ptr(graft::error("ended without a reason"))));
}

/// A mapped file was cut short by somebody, or its disk failed: its pages are gone, and nothing computed from them may be kept. The
/// program ends with a line that names the file; what it saved earlier is whole. Calls only what a signal handler may.
extern "C" void lost_page(int, siginfo_t* about, void*) {
  if (lost_pages_covered::flag().load() && graft::mapping_registry::cover(about->si_addr)) return;
  const char* path = graft::mapping_registry::path_at(about->si_addr);
  if (path == nullptr) {  // none of ours: as if there were no handler
    std::signal(SIGBUS, SIG_DFL);
    return;
  }
  const auto say = [](const char* text) {
    char line[1200];
    std::size_t length = 0;
    for (; text[length] != '\0' && length < sizeof line; ++length) {
      const auto c = static_cast<unsigned char>(text[length]);
      line[length] = c < 0x20 || c == 0x7f ? '?' : text[length];
    }
    (void)!::write(2, line, length);
  };
  say("graft: ");
  say(path);
  say(": was cut short while it was in use, or cannot be read any more; put the file back");
  (void)!::write(2, "\n", 1);
  ::_exit(lost_file_exit_code);
}

/// Signals that end a program without a word are lines or errors instead: a page of a mapped file that is gone, a limit on file sizes.
void handle_signals() {
  struct sigaction action {};
  action.sa_sigaction = lost_page;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace

/// Makes threads spin at barriers for some microseconds, then sleep. By default they spin on, and when another process keeps a core busy
/// each barrier then costs milliseconds; asleep at once, they wake up late for the many short products of a step. The OpenMP run-time
/// reads its settings before main, so the program starts itself anew with them, unless /proc/self/exe is not this program but a loader
/// that was told to run it, or it runs with more rights than who started it.
void let_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (::getauxval(AT_BASE) == 0 || ::getauxval(AT_SECURE) != 0 || ::setenv("GOMP_SPINCOUNT", "3000", 1) != 0) return;
  ::execv("/proc/self/exe", argv);  // returns only if it cannot: then it goes on as it is
}

/// A file must not get the number of a standard stream that was closed: what is printed would go into it. What stands there instead can
/// be neither read from, if it is the input, nor written to, so that both are errors.
void open_standard_streams() {
  for (const int stream : {0, 1, 2}) {
    if (::fcntl(stream, F_GETFD) < 0 && ::open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY) < 0) return;
  }
}

int main(int argc, char** argv) {
  open_standard_streams();
  let_threads_sleep(argv);
  std::set_terminate(end_with_line);
  handle_signals();
  try {
    const int exit_code = run(argc, argv);
    flush_output();
    leave_ranks();
    return exit_code;
  } catch (...) {
    const int exit_code = failed(std::current_exception());
    end_ranks(exit_code);
    return exit_code;
  }
}
