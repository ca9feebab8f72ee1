#include "run/run_files.hpp"

#include <algorithm>
#include <string_view>

#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/tags.hpp"
#include "graft/train/class_report.hpp"
#include "graft/train/metrics.hpp"

namespace graft::program {

void write_metrics(const std::string& path, const evaluation& e) {
  write_file(path, ordered_json{{"loss", e.loss}, {"metrics", metrics_json(e.metrics)}}.dump(2) + "\n");
}

namespace {

/// TEXT up to so many bytes that it can be shown, cut between characters.
std::string beginning_of(const std::string& text) {
  constexpr std::size_t most = 1000;
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && is_continuation_byte(text[end])) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

std::string text_of_words(const example& row) { return listed(row.words, {}, " "); }

std::string unread_tags_text(const task& t) {
  if (t.kind != task_kind::token_classification || marks_entities(t.labels)) return "";
  const auto number = [](const std::string& tag) { return tag.find_first_not_of("0123456789") == tag.npos; };
  const auto marked = [](const std::string& tag) {
    return tag == "O" || tag == "o" ||
           (tag.size() > 1 && std::string_view("BILUESbilues").find(tag[0]) != std::string_view::npos &&
            std::string_view("-_").find(tag[1]) != std::string_view::npos);
  };
  const bool numbers = std::ranges::all_of(t.labels, number);
  if (!numbers && !std::ranges::any_of(t.labels, marked)) return "";
  return std::string("no entities are scored, acc alone: the tags ") + (numbers ? "are numbers" : listed(t.labels, in_quotes)) +
         (numbers ? "" : " are not all O, or B-, I-, E- or S- and a type") + ", of which nobody knows which mark them" +
         (numbers ? "; write the names that they stand for, or list those as \"labels\" of the task" : "");
}

std::vector<std::string> word_notes(const std::string& path, const std::vector<example>& examples, std::span<const features> ready,
                                    index max_seq_length) {
  std::size_t words = 0, rows = 0, spans = 0, line = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::size_t lost = examples[i].words.size() - ready[i].answering.size();
    words += lost;
    rows += lost > 0 ? 1 : 0;
    if (spans == 0) line = examples[i].line;
    spans += examples[i].widened;
  }
  const auto counted = [](std::size_t n, const std::string& what) { return std::to_string(n) + ' ' + what + (n == 1 ? "" : "s"); };
  std::vector<std::string> notes;
  if (spans > 0) {
    notes.push_back(path + ": " + counted(spans, "span") + (spans == 1 ? " begins or ends" : " begin or end") +
                    " inside a word, the first in line " + std::to_string(line) + ": the whole word counts");
  }
  if (words > 0) {
    notes.push_back(path + ": of " + counted(words, "word") + " in " + counted(rows, "row") + " no token is left (rows are cut at " +
                    "--max_seq_length " + std::to_string(max_seq_length) + "): they get no tag, and count in no score");
  }
  return notes;
}

void write_tagged(const std::string& path, const task& t, const_view<double> logits, std::span<const features> rows,
                  const std::vector<example>& examples) {
  const auto tags = predicted_tags(logits, rows);
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::vector<std::string> all_tags(examples[r].words.size(), "O");
    for (std::size_t k = 0; k < tags[r].size(); ++k) {
      all_tags[static_cast<std::size_t>(rows[r].word_spans[k].begin)] = t.labels[static_cast<std::size_t>(tags[r][k])];
    }
    for (std::size_t w = 0; w < all_tags.size(); ++w) text += examples[r].words[w] + '\t' + all_tags[w] + '\n';
    text += '\n';
  }
  write_file(path, text);
}

void write_report(const std::string& path, const task& t, const_view<double> logits, std::span<const features> rows,
                  const std::vector<example>& examples) {
  constexpr std::size_t most_labels = 500, most_rows = 20;
  ordered_json report{{"rows", rows.size()}, {"answers", answers_digest(rows)}};
  if (t.kind != task_kind::regression && t.labels.size() <= most_labels) report.update(report_json(report_classes(t, logits, rows)));
  ordered_json worst = worst_rows_json(worst_rows(t, logits, rows, most_rows));
  for (ordered_json& one : worst) {
    const example& source_row = examples.at(one["row"].get<std::size_t>());
    one["line"] = source_row.line;
    if (!source_row.words.empty()) one["text_a"] = beginning_of(text_of_words(source_row));
    if (source_row.input_ids.empty() && source_row.words.empty()) one["text_a"] = beginning_of(source_row.text_a);
    if (source_row.text_b) one["text_b"] = beginning_of(*source_row.text_b);
  }
  report["worst"] = std::move(worst);
  write_file(path, report.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

void write_logits(const std::string& path, const_view<double> logits) {
  std::string text;
  for (index r = 0; r < logits.rows(); ++r) {
    for (index c = 0; c < logits.cols(); ++c) text += (c == 0 ? "" : ",") + number_text(logits(r, c));
    text += '\n';
  }
  write_file(path, text);
}

void write_submission(const std::string& path, const task& t, const_view<double> logits) {
  std::string text = "index\tprediction\n";
  const auto classes = predicted_classes(logits);
  const auto sets = predicted_label_sets(logits);
  for (index r = 0; r < logits.rows(); ++r) {
    const auto row = static_cast<std::size_t>(r);
    const auto label = [&](std::int32_t id) { return printable(t.labels[static_cast<std::size_t>(id)], std::string::npos); };
    std::string answer = t.kind == task_kind::regression       ? number_text(std::clamp(logits(r, 0), t.least, t.most))
                         : t.kind == task_kind::classification ? label(classes[row])
                         : t.kind == task_kind::multi_label    ? listed(sets[row], label, ",")
                                                               : "";
    text += std::to_string(r) + "\t" + answer + "\n";
  }
  write_file(path, text);
}

}  // namespace graft::program
