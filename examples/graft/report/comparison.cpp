#include "report/comparison.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string_view>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/random.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/train/metrics.hpp"

namespace graft::program {
namespace {

/// The numbers in the file PATH, in ROWS lines of COLUMNS.
matrix<double> read_answers(const std::string& path, index rows, index columns) {
  const mapped_file file(path);
  const std::string_view text = file.text();
  matrix<double> all(rows, columns);
  const char* at = text.data();
  const char* const end = at + text.size();
  for (index r = 0; r < rows; ++r) {
    for (index c = 0; c < columns; ++c) {
      const auto [stop, failed] = std::from_chars(at, end, all(r, c));
      const char expected = c + 1 == columns ? '\n' : ',';
      if (r > 0 && c == 0 && at == end) {
        throw format_error(path, "has " + std::to_string(r) + " lines, " + std::to_string(rows) +
                                     " were expected: was the file cut short, or are the task's validation rows others now?");
      }
      if (failed != std::errc() || stop == end || *stop != expected || !std::isfinite(all(r, c))) {
        throw format_error(path + ":" + std::to_string(r + 1), "holds no " + std::to_string(columns) + " numbers, of " +
                                                                   std::to_string(rows) +
                                                                   " lines: the task's validation rows are others now");
      }
      at = stop + 1;
    }
  }
  if (at != end) throw format_error(path, "has more than " + std::to_string(rows) + " lines: the task's validation rows are others now");
  return all;
}

}  // namespace

stored_answers::stored_answers(const std::string& path) {
  const task_config config = read_task_config(path);
  task_ = config.task;
  const auto file = config.paths.find("val");
  if (file == config.paths.end()) throw format_error(path, "names no \"val\" rows");
  const bool words = task_.kind == task_kind::token_classification;
  if (const auto train = config.paths.find("train"); words && task_.labels.empty() && train != config.paths.end()) {
    const std::string train_path = resolve_path(train->second, path);
    task_ = with_tags_of(task_, read_examples(task_, "train", train_path), train_path);
  }
  const std::string rows_path = resolve_path(file->second, path);
  std::vector<std::uint64_t> skipped;
  const auto examples = read_examples(task_, "val", rows_path, &skipped);
  std::vector<features> ready(examples.size());
  for (std::size_t r = 0; words && r < ready.size(); ++r) {  // without a tokenizer: as if each word had a token
    for (std::int32_t w = 0; w < std::ssize(examples[r].words); ++w) {
      ready[r].answering.push_back(w);
      ready[r].word_spans.push_back({w, w + 1});
    }
  }
  rows_ = labeled(task_, examples, std::move(ready), rows_path).rows;
  begins_ = answer_offsets(rows_, words);
}

std::size_t stored_answers::add(const run_setting& setting) {
  auto& setting_logits = logits_.emplace_back();
  for (const finished_run& run : setting.runs) {
    if (!run.answers.empty() && run.answers != answers_digest(rows_)) {
      throw format_error(run.log.folder, task_.kind == task_kind::token_classification
                                             ? "its answers are not to all words of the task's validation rows: some had no token left, or "
                                               "the rows are others now"
                                             : "was evaluated on other validation rows than the task's now: their labels differ");
    }
    setting_logits.push_back(read_answers(run.log.folder + "/val_preds.csv", begins_.back(), task_.num_labels()));
  }
  return logits_.size() - 1;
}

double stored_answers::mean_score(std::size_t setting, const std::vector<std::size_t>& rows) const {
  std::vector<features> drawn;
  drawn.reserve(rows.size());
  index answers = 0;
  for (const std::size_t row : rows) {
    drawn.push_back(rows_[row]);
    answers += begins_[row + 1] - begins_[row];
  }
  double sum = 0;
  for (const matrix<double>& logits : logits_[setting]) {
    matrix<double> drawn_logits(answers, logits.cols());
    index at = 0;
    for (const std::size_t row : rows) {
      for (index from = begins_[row]; from < begins_[row + 1]; ++from) drawn_logits.row(at++) = logits.row(from);
    }
    sum += evaluate(task_, drawn_logits, drawn).major;
  }
  return sum / static_cast<double>(logits_[setting].size());
}

void stored_answers::draw(std::int64_t draws) const {
  drawn_.resize(logits_.size());
  std::vector<std::size_t> rows(rows_.size());
  for (std::int64_t d = 0; d < draws; ++d) {
    const random_stream stream(0, static_cast<std::uint64_t>(d), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = static_cast<std::size_t>(stream.uniform(i) * static_cast<double>(rows.size()));
    }
    for (std::size_t s = 0; s < logits_.size(); ++s) {
      if (std::ssize(drawn_[s]) == d) drawn_[s].push_back(mean_score(s, rows));
    }
  }
}

score_difference stored_answers::difference(std::size_t a, std::size_t b, std::int64_t draws) const {
  draw(draws);
  std::vector<std::size_t> all(rows_.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  score_difference result;
  result.value = mean_score(a, all) - mean_score(b, all);
  std::vector<double> differences;
  std::int64_t below = 0, above = 0;
  for (std::size_t d = 0; d < static_cast<std::size_t>(draws); ++d) {
    const double one = drawn_[a][d] - drawn_[b][d];
    if (std::isnan(one)) continue;  // a correlation of rows that are all alike
    differences.push_back(one);
    below += one <= 0;
    above += one >= 0;
  }
  if (differences.empty()) return result;
  std::ranges::sort(differences);
  const auto at = [&](double share) { return differences[static_cast<std::size_t>(share * static_cast<double>(differences.size() - 1))]; };
  result.low = at(0.025);
  result.high = at(0.975);
  const auto one_side = static_cast<double>(std::min(below, above) + 1) / static_cast<double>(differences.size() + 1);
  result.p = std::min(1.0, 2 * one_side);
  return result;
}

}  // namespace graft::program
