#pragma once
// Runs the built program as a user does, and keeps what it printed.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

extern char** environ;

namespace graft_test {

struct outcome {
  int exit_code;  // 128 + the signal's number, when one ended it
  std::string out;
  std::string err;
};

/// Starts `graft ARGUMENTS...`; CONNECT(&actions) says what its standard streams are.
template <class F>
pid_t start_graft(std::vector<std::string> arguments, F&& connect) {
  arguments.insert(arguments.begin(), GRAFT_PROGRAM);
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::setenv("OMP_DYNAMIC", "false", 0);  // as many threads as a test says, on any machine
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  connect(&files);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, GRAFT_PROGRAM, &files, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0) throw std::runtime_error("cannot run " GRAFT_PROGRAM);
  return child;
}

/// Waits for its end: its exit code, or 128 and the number of the signal that ended it.
inline int end_of(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) throw std::runtime_error("cannot wait for " GRAFT_PROGRAM);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Runs `graft ARGUMENTS...` with its standard input and output connected to these files; "" closes the stream.
inline outcome run_graft_between(std::vector<std::string> arguments, const std::string& in, const std::string& out) {
  const temporary_folder folder;
  const std::string err = folder / "err";
  const pid_t child = start_graft(std::move(arguments), [&](posix_spawn_file_actions_t* files) {
    const auto connect = [&](int stream, const std::string& path, int flags) {
      if (path.empty()) {
        ::posix_spawn_file_actions_addclose(files, stream);
      } else {
        ::posix_spawn_file_actions_addopen(files, stream, path.c_str(), flags, 0600);
      }
    };
    connect(0, in, O_RDONLY);
    connect(1, out, O_WRONLY | O_CREAT);
    connect(2, err, O_WRONLY | O_CREAT);
  });
  const int exit_code = end_of(child);
  return {exit_code, "", graft::read_file(err)};
}

/// Runs `graft ARGUMENTS...` with INPUT on standard input.
inline outcome run_graft(std::vector<std::string> arguments, const std::string& input = "") {
  const temporary_folder folder;
  graft::write_file(folder / "in", input);
  outcome result = run_graft_between(std::move(arguments), folder / "in", folder / "out");
  result.out = graft::read_file(folder / "out");
  return result;
}

/// True for text that is "graft: ..." and one line.
inline bool is_one_line_error(const std::string& text) {
  return text.starts_with("graft: ") && text.ends_with('\n') && text.find('\n') == text.size() - 1;
}

}  // namespace graft_test
