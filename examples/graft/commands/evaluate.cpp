// graft evaluate: a model and labeled rows -> metrics, each class by itself, and the rows that are answered worst.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <iostream>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "graft/core/file.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/tags.hpp"
#include "graft/predict/answer_stream.hpp"
#include "graft/train/class_report.hpp"
#include "graft/train/metrics.hpp"
#include "graft/train/task_loss.hpp"
#include "host/notes.hpp"
#include "host/ranks.hpp"
#include "host/stop.hpp"
#include "run/evaluated_labels.hpp"
#include "run/progress.hpp"
#include "run/question.hpp"
#include "run/run_files.hpp"

namespace graft::program {
namespace {

/// What an evaluation found.
struct scored_rows {
  task of;
  std::vector<example> rows;
  std::vector<features> labels;
  matrix<double> logits;  // columns in the order of the task's labels
  task_metrics metrics{};
  double loss = 0;
};

/// TEXT in a column of WIDTH, on its left side or its right.
std::string column(const std::string& text, std::size_t width, bool right = true) {
  const std::string space(text.size() < width ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

std::string class_table(const task& of, const class_report& report) {
  const bool words = of.kind == task_kind::token_classification, entities = words && report.names != of.labels;
  std::size_t widest = 8;
  std::vector<std::string> names;
  for (const std::string& label : report.names) names.push_back(printable(label, 40));
  for (const std::string& name : names) widest = std::max(widest, name.size());
  const std::size_t last = entities ? 10 : 8;
  std::string text = column("class", widest, false) + "  precision  recall      f1" +
                     column(entities ? "entities"
                            : words  ? "words"
                                     : "rows",
                            last) +
                     '\n';
  const auto line = [&](const std::string& name, const class_scores& s) {
    text += column(name, widest, false) + column(fixed_text(s.precision, 4), 11) + column(fixed_text(s.recall, 4), 8) +
            column(fixed_text(s.f1, 4), 8) + column(std::to_string(s.support), last) + '\n';
  };
  for (std::size_t c = 0; c < names.size(); ++c) line(names[c], report.classes[c]);
  line("micro", report.micro);
  line("macro", report.macro);
  line("weighted", report.weighted);
  if (report.confusion.empty() || names.size() > 20) return text;
  text += '\n' + column("row \\ answer", std::max<std::size_t>(widest, 12), false);
  for (const std::string& name : names) text += "  " + column(name, 6);
  for (std::size_t c = 0; c < names.size(); ++c) {
    text += '\n' + column(names[c], std::max<std::size_t>(widest, 12), false);
    for (std::size_t k = 0; k < names.size(); ++k)
      text += "  " + column(std::to_string(report.confusion[c][k]), std::max<std::size_t>(6, names[k].size()));
  }
  return text + '\n';
}

/// The text of ROW, or its first ids.
std::string text_of(const example& row) {
  if (!row.words.empty()) return text_of_words(row);
  if (row.input_ids.empty()) return row.text_a + (row.text_b ? "\t" + *row.text_b : "");
  std::string ids;
  for (std::size_t i = 0; i < std::min<std::size_t>(20, row.input_ids.size()); ++i)
    ids += (i > 0 ? " " : "") + std::to_string(row.input_ids[i]);
  return ids;
}

std::string worst_table(const scored_rows& s, const std::vector<worst_row>& worst) {
  std::string text = "line\tloss\tlabel\tprediction\ttext\n";
  for (const worst_row& one : worst) {
    const example& row = s.rows[one.row];
    text += std::to_string(row.line) + '\t' + fixed_text(one.loss, 4) + '\t' + printable(one.wanted, 60) + '\t' +
            (s.of.kind == task_kind::regression ? fixed_text(s.logits(static_cast<index>(one.row), 0), 4) : printable(one.predicted, 60)) +
            '\t' + printable(text_of(row), 120) + '\n';
  }
  return text;
}

ordered_json everything(const scored_rows& s, const std::vector<worst_row>& worst) {
  ordered_json all = {{"rows", s.rows.size()}, {"task", s.of.name}, {"loss", s.loss}, {"metrics", metrics_json(s.metrics)}};
  if (s.of.kind != task_kind::regression) all.update(report_json(report_classes(s.of, s.logits, s.labels)));
  all["worst"] = worst_rows_json(worst);
  for (ordered_json& one : all["worst"]) {
    const example& row = s.rows[one["row"].get<std::size_t>()];
    one["line"] = row.line;
    if (row.input_ids.empty()) one["text_a"] = row.words.empty() ? row.text_a : text_of_words(row);
    if (row.input_ids.empty() && row.text_b) one["text_b"] = *row.text_b;
  }
  return all;
}

/// The logits of ROWS, or of their words, with columns in the order ORDER says; those of a regression after the function behind its number.
/// READY, the features of ROWS, learn which words answered.
matrix<double> logits_of(const question& q, const predictor& model, const std::vector<example>& rows, const std::vector<std::size_t>& order,
                         std::vector<features>& ready) {
  const std::atomic<bool>& stop = stop_requested();
  std::vector<example> asked = rows;
  for (example& row : asked) row.adapter = q.adapter;
  std::vector<double> all;
  row_progress progress(stderr, true, 0);
  index r = 0;
  answer_stream stream(model, asked, {q.batch_size, static_cast<int>(q.threads), true, {}, &stop, ranks()});
  for (auto window = stream.next_window(); !window.empty(); window = stream.next_window()) {
    for (const answer& a : window) {
      if (!a.error.empty()) throw format_error::at_line(q.source(), a.line, a.error);
      const auto& numbers = a.numbers.empty() ? a.logits : a.numbers;
      for (std::size_t begin = 0; begin < numbers.size(); begin += order.size()) {
        for (const std::size_t column : order) all.push_back(numbers[begin + column]);
      }
      features& row = ready[static_cast<std::size_t>(r++)];
      for (std::int32_t w = 0; w < std::ssize(a.tags); ++w) {
        if (a.tags[static_cast<std::size_t>(w)].empty()) continue;
        row.answering.push_back(w);
        row.word_spans.push_back({w, w + 1});
      }
    }
    progress.update(static_cast<std::uint64_t>(r), static_cast<double>(r) / static_cast<double>(rows.size()));
  }
  if (stop || stream.stopped()) throw stopped();
  const auto columns = std::ssize(order);
  return const_view<double>(all.data(), std::ssize(all) / columns, columns);
}

/// The tokens at which rows that Q asks MODEL are cut.
index length_of(const question& q, const predictor& model) {
  const index most = model.config().max_sequence_length();
  return q.options.max_seq_length.value_or(std::min(most, model.description(q.adapter).max_seq_length.value_or(most)));
}

/// The rows that Q names, with their labels as they stand.
std::vector<example> labeled_rows(const question& q) {
  std::vector<example> rows;
  for (example row; q.rows.next(row); row = example()) rows.push_back(std::move(row));
  for (const example& row : rows) {
    if (!row.label && row.tags.empty() && !row.spans)
      throw format_error::at_line(q.source(), row.line,
                                  std::string(row.words.empty() ? "has no label" : "has no tags") +
                                      ": rows whose labels are known were expected (--split val, of a task)");
  }
  return rows;
}

}  // namespace

int evaluate(int argc, const char* const* argv) {
  question q;
  std::int64_t most = 10;
  flag_table flags(
      "evaluate", "--model_path FILE [--adapter_path FILE] --task_config_path FILE [FLAGS]",
      "Scores of what graft predict answers, on rows whose labels are known: the task's metrics, precision, recall and F1 of each "
      "class, who is taken for whom, and the rows with the highest loss. Prints tables; --output has all of it as JSON.");
  q.add_model_flags(flags, "One that brings no head answers with the model's; without it, the model's alone does.");
  flags.add("adapter", &q.adapter, "Which of several answers; model: the model with its own head. The first if not given.");
  q.add_row_flags(flags, "", "val");
  flags.add("worst", &most, "How many of the rows with the highest loss are shown.").within(ranges::count_or_none);
  flags.add("output", &q.output, "Writes all of it to this file, as JSON.");
  q.add_machine_flags(flags);
  if (!flags.parse(argc, argv)) return 0;

  q.settle("evaluate");
  if (q.task_path.empty() && q.input == "-")
    throw usage_error("evaluate needs rows with labels: give --task_config_path, or a file as --input");
  if (q.adapter == predictor::bare_trunk) throw usage_error("--adapter none: the bare encoder answers nothing that could be scored");
  if (q.tuned.empty() && !q.several()) q.require_own_head("evaluate");
  if (!is_first_rank()) return answer_for_first_rank(q);
  q.open_rows("val");
  q.bytes->stop_when(stop_requested());
  try {
    scored_rows s;
    s.rows = labeled_rows(q);
    q.files = find_trunk_files(q.files);
    const auto brings_ids = [](const example& row) { return !row.input_ids.empty(); };
    if (std::all_of(s.rows.begin(), s.rows.end(), brings_ids)) q.files.tokenizer_path.clear();
    const predictor model = model_of(q);
    const asked_ranks others;
    check_adapter(q, model);
    const auto [of, order, notes] = evaluated_labels(q, model);
    print_notes(notes);
    s.of = of;
    // what numbers stand for: labels that somebody listed, and not those of training rows, which are in order
    std::vector<std::string> listed = q.asked.labels;
    if (listed.empty() && !std::ranges::is_sorted(of.labels)) listed = of.labels;
    for (example& row : s.rows) {
      if (of.kind == task_kind::token_classification) as_words(row, listed, q.source());
    }
    if (const std::string text = unread_tags_text(of); !text.empty()) print_notes({q.source() + ": " + text});
    std::vector<features> ready(s.rows.size());
    labeled(s.of, s.rows, ready, q.source());  // a label that there is not costs no time
    s.logits = logits_of(q, model, s.rows, order, ready);
    s.labels = labeled(s.of, s.rows, std::move(ready), q.source()).rows;
    if (s.of.kind == task_kind::token_classification) print_notes(word_notes(q.source(), s.rows, s.labels, length_of(q, model)));
    batch wanted;
    for (const features& row : s.labels) wanted.add_answer(row);
    s.loss = task_loss<double>(s.of.kind, s.logits, wanted, nullptr);
    s.metrics = graft::evaluate(s.of, s.logits, s.labels);

    const auto worst = worst_rows(s.of, s.logits, s.labels, static_cast<std::size_t>(most));
    std::string text = std::to_string(s.rows.size()) + " rows of " + printable(q.source()) + "\nloss " + fixed_text(s.loss, 4);
    for (const auto& [name, value] : s.metrics.minor) text += "  " + name + ' ' + fixed_text(value, 4);
    text += "\n\n";
    if (s.of.kind != task_kind::regression) text += class_table(s.of, report_classes(s.of, s.logits, s.labels)) + '\n';
    if (!worst.empty()) text += worst_table(s, worst);
    std::cout << text;
    if (!q.output.empty()) write_file(q.output, everything(s, worst).dump(2) + "\n");
  } catch (const stopped&) {
    std::cerr << "graft: stopped by a signal, before all rows were answered\n";
    return stopped_exit_code;
  }
  return 0;
}

}  // namespace graft::program
