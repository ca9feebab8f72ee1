#pragma once
// The pictures of a run as files, and one self-contained page that shows them with the run's arguments and metrics.

#include <cmath>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/plot/pictures.hpp"
#include "graft/plot/run_log.hpp"
#include "graft/plot/svg.hpp"

namespace graft {

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

inline std::string value_text(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// Metric cards: every leaf under its own name, numbers to four digits.
inline void add_metrics(std::string& html, const ordered_json& metrics) {
  for (const auto& [name, value] : metrics.items()) {
    if (value.is_object()) {
      add_metrics(html, value);
    } else {
      const std::string text = value.is_number() && drawable(value.get<double>()) ? fixed_text(value.get<double>(), 4) : value_text(value);
      html += "<div class=\"metric\"><b>" + escaped(text) + "</b><span>" + escaped(name) + "</span></div>\n";
    }
  }
}

}  // namespace detail

/// One HTML page with everything in it: no scripts, no network, light or dark as the reader's system asks.
inline std::string report_html(const run_log& log, const std::vector<picture>& shown) {
  const std::filesystem::path folder = std::filesystem::absolute(log.folder).lexically_normal();
  const std::string name = escaped((folder.has_filename() ? folder : folder.parent_path()).filename().string());
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>" + name +
                     " - graft</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<style>" +
                     detail::report_style + "</style>\n</head>\n<body>\n<main>\n<h1>" + name + "</h1>\n<p>" + escaped(log.folder) +
                     "</p>\n";
  for (const std::string& warning : log.warnings) html += "<div class=\"warnings\">" + escaped(warning) + "</div>\n";
  html += "<h2>Final validation</h2>\n";
  if (log.metrics.is_object()) {
    html += "<div class=\"metrics\">\n";
    detail::add_metrics(html, log.metrics);
    html += "</div>\n";
  } else {
    html += "<p>No val_metrics.json: the run has not been evaluated at its end.</p>\n";
  }
  html += "<h2>Training</h2>\n";
  for (const picture& p : shown) html += "<figure>\n" + p.svg_text + "</figure>\n";
  html += "<h2>Arguments</h2>\n";
  if (log.args.is_object()) {
    html += "<dl class=\"arguments\">\n";
    for (const auto& [flag, value] : log.args.items()) {
      html += "<div><dt>" + escaped(flag) + "</dt><dd>" + escaped(detail::value_text(value)) + "</dd></div>\n";
    }
    html += "</dl>\n";
  } else {
    html += "<p>No args.json.</p>\n";
  }
  return html + "</main>\n</body>\n</html>\n";
}

namespace detail {

/// In the folder of a run, which may be anybody's, links are not followed to write: they could lead to any file of the user. Nor is anything
/// else written to that is not of the TYPE expected: a pipe would wait, a device take what it gets.
inline void refuse_link(const std::string& path, std::filesystem::file_type type = std::filesystem::file_type::regular) {
  std::error_code none;
  const auto found = std::filesystem::symlink_status(path, none);
  if (std::filesystem::exists(found) && found.type() != type && !std::filesystem::is_symlink(found)) {
    throw backend_error(path + ": is no " + (type == std::filesystem::file_type::regular ? "file" : "folder") +
                        ", pictures are not written there; remove it, or name another folder with --output_dir");
  }
  if (std::filesystem::is_symlink(found)) {
    throw backend_error(path + ": is a link, to which pictures are not written; remove it, or name another folder with --output_dir");
  }
}

}  // namespace detail

/// Draws the logs of the run in RUN_FOLDER into OUTPUT_FOLDER (made when absent): NAME.svg for each picture, and report.html.
/// @throws format_error   as read_run_log, or args.json or val_metrics.json is not JSON
/// @throws backend_error  OUTPUT_FOLDER cannot be written, is a link inside RUN_FOLDER, or holds a link where a file is to be written
inline plot_files write_plots(const std::string& run_folder, const std::string& output_folder) {
  const run_log log = read_run_log(run_folder);
  const std::vector<picture> drawn = pictures(log);
  const std::filesystem::path place = std::filesystem::absolute(output_folder) / "";  // with or without a slash at its end
  std::error_code none;
  if (std::filesystem::equivalent(place.parent_path().parent_path() / "", std::filesystem::path(run_folder) / "", none)) {
    detail::refuse_link(place.parent_path().string(), std::filesystem::file_type::directory);
  }
  make_folder(output_folder);
  plot_files out{{}, log.warnings};
  const auto put = [&](const std::string& name, const std::string& text) {
    out.files.push_back((std::filesystem::path(output_folder) / name).string());
    detail::refuse_link(out.files.back());
    write_file(out.files.back(), text);
  };
  for (const picture& p : drawn) put(p.name + ".svg", p.svg_text);
  put("report.html", report_html(log, drawn));
  return out;
}

}  // namespace graft
