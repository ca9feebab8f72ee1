// graft plot: the logs of a run -> SVG pictures and one page that shows them.

#include <filesystem>
#include <iostream>
#include <string>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "graft/core/printable.hpp"
#include "host/notes.hpp"
#include "plot/report.hpp"

namespace graft::program {

int plot(int argc, const char* const* argv) {
  std::string run_folder;
  std::string output_folder;
  flag_table flags("plot", "RUN_DIR [--output_dir DIR]",
                   "Draws what a run logged: mixing weights (of a mix), validation score, training loss and learning rate, each as an SVG "
                   "picture, and report.html, one page that shows them with the run's arguments and metrics. A run that still trains can "
                   "be drawn as well.");
  flags.positional("RUN_DIR", &run_folder);
  flags.group("Files");
  flags.add("output_dir", &output_folder, "Where the pictures go; RUN_DIR/plots when it is not given.");
  if (!flags.parse(argc, argv)) return 0;

  if (output_folder.empty()) output_folder = (std::filesystem::path(run_folder) / "plots").string();
  const plot_files written = write_plots(run_folder, output_folder);
  print_notes(written.warnings);
  for (const auto& file : written.files) std::cout << printable(file, 4000) << '\n';
  return 0;
}

}  // namespace graft::program
