#include "run/answer_table.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"

namespace graft::program {
namespace {

/// TEXT as it can stand in a table: a label may hold a tab.
std::string cell(const std::string& text) { return printable(text, std::string::npos); }

}  // namespace

answer_table::answer_table(const predictor& model, bool several, std::vector<std::string> everyone)
    : model_(model), several_(several), everyone_(std::move(everyone)) {
  if (!several_) labels_ = model.description().labels;
  numbers_ = !several_ && !labels_.empty() && model.description().output == task_kind::regression;
}

std::string answer_table::header(std::uint64_t) const {
  if (several_) return "index\tadapter\tprediction\tscores\n";
  std::string text = numbers_ ? "index" : "index\tprediction";
  for (const std::string& label : labels_) text += (numbers_ ? "\tprediction(" : "\tP(") + cell(label) + ")";
  return text + '\n';
}

std::string answer_table::row(const answer& a, std::uint64_t index) const {
  const std::string start = start_of(index) + (several_ && everyone_.empty() ? cell(a.adapter) + '\t' : "");
  if (!a.error.empty()) return start + error_row(a);
  if (several_) return start + several_row(a);
  std::string text = start + (a.numbers.empty() ? cell(a.label) : number_text(a.score));
  for (const double p : a.probabilities) text += "\t" + number_text(p);
  for (std::size_t k = 1; k < a.numbers.size(); ++k) text += "\t" + number_text(a.numbers[k]);
  return text + '\n';
}

std::string answer_table::start_of(std::uint64_t index) const {
  if (everyone_.empty()) return std::to_string(index) + '\t';
  return std::to_string(index / everyone_.size()) + '\t' + cell(everyone_[index % everyone_.size()]) + '\t';
}

std::string answer_table::several_row(const answer& a) const {
  ordered_json scores = ordered_json::object();
  if (a.adapter == predictor::bare_trunk) {
    scores = ordered_json::array();
    for (const double number : a.hidden_state) scores.push_back(static_cast<float>(number));
  } else {
    const auto& labels = model_.description(a.adapter).labels;
    const auto& numbers = a.numbers.empty() ? a.probabilities : a.numbers;
    for (std::size_t k = 0; k < labels.size(); ++k) scores[labels[k]] = static_cast<float>(numbers[k]);
  }
  return (a.numbers.size() == 1 ? number_text(a.score) : cell(a.label)) + '\t' + scores.dump() + '\n';
}

std::string answer_table::error_row(const answer& a) const {
  const std::string at_line = a.line != 0 ? "line " + std::to_string(a.line) + ": " : "";
  const std::string rest = several_ ? "\t{}" : std::string(labels_.size() - (numbers_ ? 1 : 0), '\t');
  return "error: " + printable(at_line + a.error, 4000) + rest + '\n';
}

bool answer_table::is_row(std::string_view record, std::uint64_t index) const { return record.starts_with(start_of(index)); }

bool answer_table::is_error(std::string_view line) const {
  line.remove_suffix(line.ends_with('\n') ? 1 : 0);
  for (int columns = several_ ? 2 : 1; columns > 0; --columns) line.remove_prefix(std::min(line.find('\t'), line.size() - 1) + 1);
  const std::string rest = several_ ? "\t{}" : std::string(labels_.size() - (numbers_ ? 1 : 0), '\t');
  return line.starts_with("error: ") && line.ends_with(rest);
}

}  // namespace graft::program
