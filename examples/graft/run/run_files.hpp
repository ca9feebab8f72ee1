#pragma once
// What a run leaves besides its logs and parameters: metrics and predictions.

#include <span>
#include <string>
#include <vector>

#include "graft/data/tasks.hpp"
#include "graft/train/evaluation.hpp"

namespace graft::program {

/// {"loss": ..., "metrics": {"major": ..., "minor": {...}}}
void write_metrics(const std::string& path, const evaluation& e);

/// What an evaluation shows beside its metrics, for graft plot and for others: {"rows": ..., "labels": [...], "confusion": ..., "classes":
/// ..., "worst": [{"row": ..., "line": ..., "loss": ..., "label": ..., "prediction": ..., "text_a": ...}, ...]}, as report_json and
/// worst_rows_json have it; of a number, and of more than 500 labels, the worst rows alone.
/// @param rows, examples  of the task T, in the order of LOGITS
void write_report(const std::string& path, const task& t, const_view<double> logits, std::span<const features> rows,
                  const std::vector<example>& examples);

/// The words of ROW, with spaces between.
std::string text_of_words(const example& row);

/// What is said of tags that may be meant to mark entities, and are not read so: numbers, BILOU, lower case; "" of others.
std::string unread_tags_text(const task& t);

/// What is said of EXAMPLES, rows of words in the file PATH that were cut at MAX_SEQ_LENGTH tokens: how many words have no token in READY,
/// their features, and how many spans became longer (data/tags.hpp, as_words).
std::vector<std::string> word_notes(const std::string& path, const std::vector<example>& examples, std::span<const features> ready,
                                    index max_seq_length);

/// The words of EXAMPLES, a line each: WORD, a tab, its tag; a blank line behind each row. A word that no token was left of gets O.
void write_tagged(const std::string& path, const task& t, const_view<double> logits, std::span<const features> rows,
                  const std::vector<example>& examples);

/// Raw logits, comma-separated, one row an example, or a word, no header.
void write_logits(const std::string& path, const_view<double> logits);

/// A GLUE submission: a header, then index and label (or number) of every test example. A tab in a label is written `\t`. A number outside
/// the task's range, STS-B's 0 to 5, becomes the range's nearest end.
void write_submission(const std::string& path, const task& t, const_view<double> logits);

}  // namespace graft::program
