#pragma once
// Many runs in one file: flags of a trainer, some of them with several values.

#include <string>
#include <vector>

#include "graft/core/json.hpp"

namespace graft::program {

/// The command lines, each a list of words, that GRID, an object of flags that came from PATH, stands for: one for each combination of the
/// values of those flags that have a list, the last flag changing first. A flag that is a list itself has several values when it has a list
/// of lists. "command" is train-adapter or train-multi-adapter (train-adapter); "ZZsrc" is a file or several. Each run gets a folder of its
/// own in "output_dir", named after what is its own: learning_rate-0.001_seed-1.
/// @throws format_error  no object, an unknown flag, one without a value or with one twice, a value that the trainer refuses, a required
///                       flag that is missing, or more than most_runs runs
std::vector<std::vector<std::string>> grid_commands(const ordered_json& grid, const std::string& path);

inline constexpr std::size_t most_runs = 100'000;

/// WORDS as a shell takes them.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace graft::program
