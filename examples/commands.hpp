#pragma once
// The sub-commands, each in the file of its name. argv[0] is the sub-command's name; the result is the exit code.

#include <iostream>
#include <string>
#include <vector>

#include "graft/core/printable.hpp"

namespace graft::program {

/// What the library noted, a line each on standard error.
inline void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::cerr << "graft: " << printable(note, 4000) << '\n';
}

int export_model(int argc, const char* const* argv);
int convert_adapter(int argc, const char* const* argv);
int prepare_tasks(int argc, const char* const* argv);
int tokenize(int argc, const char* const* argv);
int train_adapter(int argc, const char* const* argv);
int train_multi_adapter(int argc, const char* const* argv);
int predict(int argc, const char* const* argv);
int plot(int argc, const char* const* argv);

}  // namespace graft::program
