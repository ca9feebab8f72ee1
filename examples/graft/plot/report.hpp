#pragma once
// The pictures of a run as files, and one self-contained page that shows them with the run's arguments and metrics.

#include <string>
#include <vector>

#include "plot/page.hpp"
#include "plot/run_log.hpp"

namespace graft::program {

/// What `write_plots` wrote, and what it had to leave out of the logs.
struct plot_files {
  std::vector<std::string> files;
  std::vector<std::string> warnings;
};

/// One HTML page with everything in it, which loads nothing and may not: charts as wide as the page, light or dark as the reader's system
/// asks; where a reader points, a script of its own names step and values. It prints.
std::string report_html(const run_log& log, const std::vector<picture>& shown);

/// Draws the logs of the run in RUN_FOLDER into OUTPUT_FOLDER (made when absent): NAME.svg for each picture, and report.html.
/// @throws format_error   as read_run_log, or args.json or val_metrics.json is not JSON
/// @throws backend_error  OUTPUT_FOLDER cannot be written, is a link inside RUN_FOLDER, or holds a link where a file is to be written
plot_files write_plots(const std::string& run_folder, const std::string& output_folder);

}  // namespace graft::program
