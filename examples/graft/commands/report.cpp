// graft report: finished runs -> one table, one page, and what of their differences may be chance.

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "graft/core/file.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/range.hpp"
#include "graft/core/text_list.hpp"
#include "host/notes.hpp"
#include "plot/runs_page.hpp"
#include "report/comparison.hpp"
#include "report/finished_runs.hpp"

namespace graft::program {
namespace {

std::string signed_text(double value) { return (value < 0 ? "" : "+") + fixed_text(value, 4); }

/// How each of TASK's settings compares with the first; "" for that, and where answers or labels cannot be read, which NOTES then says.
std::vector<std::string> against_best(const run_task& task, std::int64_t draws, std::vector<std::string>& notes) {
  std::vector<std::string> texts(task.settings.size());
  if (task.settings.size() < 2 || draws == 0) return texts;
  try {
    stored_answers answers(task.settings.front().runs.front().task_path);
    for (const run_setting& s : task.settings) answers.add(s);
    for (std::size_t i = 1; i < texts.size(); ++i) {
      const score_difference d = answers.difference(i, 0, draws);
      texts[i] = signed_text(d.value) + " (" + signed_text(d.low) + " to " + signed_text(d.high) + "), p " +
                 (d.p < 0.001 ? "< 0.001" : fixed_text(d.p, 3));
    }
  } catch (const error& failure) {
    notes.push_back(task.name + ": settings are not compared row by row: " + failure.what());
    std::ranges::fill(texts, "");
  }
  return texts;
}

shown_setting shown_of(const run_setting& setting, const std::string& against) {
  shown_setting s;
  s.name = setting.name;
  s.runs = setting.runs.size();
  s.median = setting.median();
  s.against_best = against;
  std::vector<double> scores, losses;
  for (const finished_run& run : setting.runs) {
    scores.push_back(run.score);
    losses.push_back(run.log.metrics.value("loss", ordered_json()).is_number() ? run.log.metrics["loss"].get<double>()
                                                                               : std::numeric_limits<double>::quiet_NaN());
    s.validation.push_back(run.log.validation);
    s.loss.push_back(run.log.loss);
  }
  const auto [least, most] = std::ranges::minmax(scores);
  s.least = least;
  s.most = most;
  const auto minor = [](const finished_run& run) { return run.log.metrics["metrics"].value("minor", ordered_json::object()); };
  const ordered_json names = minor(setting.runs.front());
  for (const auto& [name, ignored] : names.items()) {
    std::vector<double> values;
    for (const finished_run& run : setting.runs) {
      const ordered_json value = minor(run).value(name, ordered_json());
      if (value.is_number()) values.push_back(value.get<double>());
    }
    s.others.emplace_back(name, median_of(values));
  }
  s.others.emplace_back("loss", median_of(losses));
  return s;
}

/// The table of TASK, its columns aligned.
std::string table_text(const shown_task& task) {
  std::vector<std::vector<std::string>> rows{{"setting", "runs", "median", "least", "most"}};
  for (const auto& [name, value] : task.settings.front().others) rows[0].push_back(name);
  rows[0].push_back("against the best");
  for (const shown_setting& s : task.settings) {
    auto& row = rows.emplace_back(std::vector<std::string>{printable(s.name, 4000), std::to_string(s.runs), fixed_text(s.median, 4),
                                                           fixed_text(s.least, 4), fixed_text(s.most, 4)});
    for (const auto& [name, value] : s.others) row.push_back(fixed_text(value, 4));
    row.push_back(s.against_best);
  }
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < std::min(row.size(), widths.size()); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text = printable(task.name, 4000) + '\n';
  for (const auto& row : rows) {
    std::string line = "  ";
    for (std::size_t c = 0; c < std::min(row.size(), widths.size()); ++c) {
      const std::string padding(widths[c] - row[c].size() + 2, ' ');
      line += c == 0 || c + 1 == widths.size() ? row[c] + padding : padding.substr(2) + row[c] + "  ";
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

}  // namespace

int report(int argc, const char* const* argv) {
  std::vector<std::string> folders;
  std::string output;
  std::int64_t draws = 2000;
  flag_table flags(
      "report", "RUNS... [--output FILE.html]",
      "Puts finished runs, or all those in a folder, beside each other: a table for each task with a line for each setting, runs "
      "that differ in their seed alone being one; median and spread of the validation scores, the best setting first, and how "
      "much the others score less, by the answers that the runs stored (val_preds.csv): the difference of the means, the range "
      "where it lies in 95 of 100 sets of rows drawn from the validation rows (paired bootstrap), and p, twice the share of those sets "
      "where it lies on zero's other side. It speaks of other rows, not of other seeds, which the spread is for.");
  flags.positional("RUNS", &folders);
  flags.group("Flags");
  flags.add("output", &output, "Writes a page too, with the settings' curves above each other.");
  flags.add("draws", &draws, "Sets of rows that are drawn; 0: settings are not compared row by row.").within({0, 1'000'000});
  if (!flags.parse(argc, argv)) return 0;

  found_runs found = find_runs(folders);
  std::vector<shown_task> tasks;
  for (const run_task& task : found.tasks) {
    const auto against = against_best(task, draws, found.notes);
    shown_task& shown = tasks.emplace_back(shown_task{task.name, {}});
    for (std::size_t i = 0; i < task.settings.size(); ++i) shown.settings.push_back(shown_of(task.settings[i], against[i]));
  }
  print_notes(found.notes);
  if (!output.empty()) write_file(output, runs_html(tasks, found.notes));
  std::cout << listed(tasks, table_text, "\n");
  return 0;
}

}  // namespace graft::program
