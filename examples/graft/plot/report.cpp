#include "plot/report.hpp"

#include <filesystem>
#include <system_error>

#include "graft/core/number_text.hpp"
#include "plot/class_section.hpp"
#include "plot/pictures.hpp"
#include "plot/report_parts.hpp"

namespace graft::program::detail {

std::string value_text(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// Metric cards: every leaf under its own name, numbers to four digits.
void add_metrics(std::string& html, const ordered_json& metrics) {
  for (const auto& [name, value] : metrics.items()) {
    if (value.is_object()) {
      add_metrics(html, value);
    } else {
      const std::string text = value.is_number() && drawable(value.get<double>()) ? fixed_text(value.get<double>(), 4) : value_text(value);
      html += "<div class=\"metric\"><b>" + escaped(text) + "</b><span>" + escaped(name) + "</span></div>\n";
    }
  }
}

}  // namespace graft::program::detail

namespace graft::program {

std::string report_html(const run_log& log, const std::vector<picture>& shown) {
  const std::filesystem::path folder = std::filesystem::absolute(log.folder).lexically_normal();
  const std::string name = escaped((folder.has_filename() ? folder : folder.parent_path()).filename().string());
  std::string html = detail::page_begin(name) + "<h1>" + name + "</h1>\n<p>" + escaped(log.folder) + "</p>\n";
  for (const std::string& warning : log.warnings) html += "<div class=\"warnings\">" + escaped(warning) + "</div>\n";
  html += "<h2>Final validation</h2>\n";
  if (log.metrics.is_object()) {
    html += "<div class=\"metrics\">\n";
    detail::add_metrics(html, log.metrics);
    html += "</div>\n";
  } else {
    html += "<p>No val_metrics.json: the run has not been evaluated at its end.</p>\n";
  }
  if (!log.report.is_null()) {
    try {
      html += class_section(log.report);
    } catch (const format_error& failure) {
      html += "<div class=\"warnings\">" + escaped(failure.what()) + "</div>\n";
    }
  }
  html += "<h2>Training</h2>\n<div class=\"charts\">\n";
  for (const picture& p : shown) {
    const bool many = p.svg_text.find("class=\"chart\"") != p.svg_text.rfind("class=\"chart\"");
    html += std::string("<figure") + (many ? " class=\"many\"" : "") + ">\n" + p.svg_text + p.narrow_text + "</figure>\n";
  }
  html += "</div>\n";
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
  return html + detail::page_end();
}

}  // namespace graft::program

namespace graft::program::detail {

/// In the folder of a run, which may be anybody's, links are not followed to write: they could lead to any file of the user. Nor is
/// anything else written to that is not of the TYPE expected: a pipe would wait, a device take what it gets.
void refuse_link(const std::string& path, std::filesystem::file_type type = std::filesystem::file_type::regular) {
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

}  // namespace graft::program::detail

namespace graft::program {

plot_files write_plots(const std::string& run_folder, const std::string& output_folder) {
  const run_log log = read_run_log(run_folder);
  const std::vector<picture> drawn = pictures(log);
  const std::filesystem::path output_path = std::filesystem::absolute(output_folder) / "";  // with or without a slash at its end
  std::error_code none;
  if (std::filesystem::equivalent(output_path.parent_path().parent_path() / "", std::filesystem::path(run_folder) / "", none)) {
    detail::refuse_link(output_path.parent_path().string(), std::filesystem::file_type::directory);
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

}  // namespace graft::program
