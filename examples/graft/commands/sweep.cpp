// graft sweep: a grid of flags -> the command line of each of its runs.

#include <iostream>
#include <string>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "flags/grid.hpp"
#include "graft/core/json.hpp"

namespace graft::program {

int sweep(int argc, const char* const* argv) {
  std::string grid, program = "graft";
  flag_table flags(
      "sweep", "GRID.json [--program TEXT] > COMMANDS",
      "Prints the command lines of many runs, one a line, for xargs, GNU parallel or a cluster's array of jobs. GRID.json holds "
      "flags of a trainer, as a file for --ZZsrc does; one with a list of values has each in turn, in all combinations, and "
      "each run gets a folder of its own in \"output_dir\". \"command\" names the trainer: train-adapter, if it is not there, "
      "or train-multi-adapter. Every flag was read as the trainer reads it; nothing is run or written.");
  flags.positional("GRID", &grid);
  flags.group("Flags");
  flags.add("program", &program, "What the lines begin with.");
  if (!flags.parse(argc, argv)) return 0;
  std::string lines;
  for (const auto& words : grid_commands(read_json<ordered_json>(grid), grid)) lines += program + ' ' + shell_line(words) + '\n';
  std::cout << lines;
  return 0;
}

}  // namespace graft::program
