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

namespace detail {

inline constexpr const char* report_style = R"(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1f2328; --muted: #57606a; --rule: #d8dde3; }
@media (prefers-color-scheme: dark) {
  :root { --page: #101317; --card: #181c21; --ink: #e6e9ed; --muted: #a0a9b4; --rule: #343b44; }
  .plot .ink { fill: var(--ink); } .plot .muted { fill: var(--muted); }
  .plot text[stroke] { stroke: var(--card); }
  .plot .grid { stroke: #2b323a; } .plot .axis { stroke: #737d88; }
  .plot .line.s0 { stroke: #4aa8e8; } .plot .fill.s0 { fill: #4aa8e8; }
  .plot .line.s1 { stroke: #f07b3a; } .plot .fill.s1 { fill: #f07b3a; }
  .plot .line.s2 { stroke: #2cc197; } .plot .fill.s2 { fill: #2cc197; }
  .plot .line.s6 { stroke: #f0f2f4; } .plot .fill.s6 { fill: #f0f2f4; }
  .plot .line.base { stroke: #98a2ad; } .plot .fill.base { fill: #98a2ad; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 10px; }
p { margin: 0 0 8px; color: var(--muted); overflow-wrap: anywhere; }
.metrics { display: flex; flex-wrap: wrap; gap: 12px; }
.metric, figure, .arguments, .warnings { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
.metric { padding: 10px 18px; min-width: 110px; }
.metric b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.metric span { color: var(--muted); font-size: 13px; }
figure { margin: 0 0 16px; padding: 8px; overflow-x: auto; }
.plot { display: block; width: 100%; min-width: 640px; height: auto; }
.plot .paper { fill: none; }
.arguments { columns: 2 440px; column-gap: 32px; padding: 12px 18px; margin: 0; font-size: 13px; }
.arguments div { display: flex; gap: 12px; break-inside: avoid; padding: 3px 0; border-bottom: 1px solid var(--rule); }
.arguments dt { flex: 0 0 46%; color: var(--muted); overflow-wrap: anywhere; }
.arguments dd { margin: 0; font-family: ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.warnings { padding: 10px 18px; border-left: 4px solid #d55e00; margin: 16px 0; overflow-wrap: anywhere; }
@media print { body { background: #ffffff; } figure { break-inside: avoid; } }
)";

}  // namespace detail

/// One HTML page with everything in it: no scripts, no network, light or dark as the reader's system asks.
std::string report_html(const run_log& log, const std::vector<picture>& shown);

/// Draws the logs of the run in RUN_FOLDER into OUTPUT_FOLDER (made when absent): NAME.svg for each picture, and report.html.
/// @throws format_error   as read_run_log, or args.json or val_metrics.json is not JSON
/// @throws backend_error  OUTPUT_FOLDER cannot be written, is a link inside RUN_FOLDER, or holds a link where a file is to be written
plot_files write_plots(const std::string& run_folder, const std::string& output_folder);

}  // namespace graft::program
