#pragma once
// Bodies of graft/data/example_reader.hpp.

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/fields.hpp"
#include "graft/data/jsonl.hpp"
#include "graft/data/tags.hpp"

namespace graft::detail {

/// Whether the file PATH holds JSON lines, and not tab-separated ones. What is no file of a name, as /dev/stdin or what a shell makes of
/// <(COMMAND), is told by the START of its text.
/// @throws format_error  PATH ends otherwise
GRAFT_INLINE bool is_jsonl(const std::string& path, std::string_view start) {
  const std::string extension = lower_ascii(std::filesystem::path(path).extension().string());
  if (extension == ".tsv" || extension == ".jsonl") return extension == ".jsonl";
  std::error_code none;
  const bool named = std::filesystem::is_regular_file(path, none) && !path.starts_with("/dev/") && !path.starts_with("/proc/");
  if (!named && extension.empty()) return start.starts_with('{') || start.starts_with('[');
  const char* cure = "";
  const char* columns = "";
  if (is_among(std::array{".txt", ".conllu", ".conllx", ".col", ".ner"}, extension))
    columns = "; words in columns are read from a .conll, .bio, .iob, .iob2 or .bioes";
  if (extension == ".csv" || extension == ".txt") cure = ": save the rows separated by tabs, without quotes, as a .tsv, or as a .jsonl";
  if (extension == ".json" || extension == ".ndjson") cure = ": write one object a line (jq -c '.[]' makes them of an array) as a .jsonl";
  if (is_among(std::array{".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz"}, extension)) cure = ": unpack it";
  if (is_among(std::array{".parquet", ".arrow", ".feather", ".xlsx", ".xls", ".ods"}, extension)) cure = ": write its rows as a .jsonl";
  throw format_error(path, "ends in \"" + printable(extension, 20) + "\", a .tsv or .jsonl file was expected" + cure + columns);
}

/// Whether the name PATH says that the file holds words in columns.
GRAFT_INLINE bool is_columns(const std::string& path) {
  return is_among(std::array{".conll", ".bio", ".iob", ".iob2", ".bioes"}, lower_ascii(std::filesystem::path(path).extension().string()));
}

/// "3, 8, 9 and 4 more"
GRAFT_INLINE std::string listed_lines(const std::vector<std::uint64_t>& lines) {
  constexpr std::size_t most = 10;
  const std::size_t shown = std::min(most, lines.size());
  std::string text =
      listed(std::vector(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(shown)), [](auto n) { return std::to_string(n); });
  return lines.size() > shown ? text + " and " + std::to_string(lines.size() - shown) + " more" : text;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::string skipped_rows_text(const std::vector<std::uint64_t>& lines) {
  return "left " + std::to_string(lines.size()) + (lines.size() == 1 ? " row" : " rows") + " out that " +
         (lines.size() == 1 ? "has" : "have") + " too few columns: line " + detail::listed_lines(lines);
}

GRAFT_INLINE example_reader::example_reader(const task& of, const std::string& split_name, line_reader lines, const std::string& name)
    : task_(of), path_(lines.path()) {
  const auto split = std::find_if(task_.splits.begin(), task_.splits.end(), [&](const task_split& s) { return s.name == split_name; });
  if (split == task_.splits.end()) throw config_error("task " + task_.name + " has no split \"" + printable(split_name, 60) + "\"");
  split_ = *split;
  const std::string_view start = lines.ahead();
  detail::refuse_stand_in(start.substr(0, 64), path_);
  const bool words = task_.kind == task_kind::token_classification;
  if (words ? !name.ends_with(".jsonl") && !start.starts_with('{') : detail::is_columns(name)) {
    rows_ = conll_reader(std::move(lines), split_.labeled(), task_.tag_column, task_.labels);
  } else if (words || detail::is_jsonl(name, start)) {
    rows_ = std::move(lines);
  } else {
    rows_ = tsv_reader(std::move(lines));
  }
}

GRAFT_INLINE bool example_reader::next(example& row) {
  bool got = true;
  try {
    got = rows_.index() == 0 ? next_jsonl(row) : rows_.index() == 1 ? next_tsv(row) : next_words(row);
  } catch (const error&) {
    if (goes_on()) ++count_;  // a row it is
    throw;
  }
  if (got) {
    ++count_;
    return true;
  }
  ended_ = true;
  if (count_ == 0) refuse_empty();
  return false;
}

GRAFT_INLINE bool example_reader::ready() {
  return std::visit([](auto& lines) { return lines.ready(); }, rows_);
}

GRAFT_INLINE bool example_reader::goes_on() const {
  const bool failed = std::visit([](const auto& lines) { return lines.failed(); }, rows_);
  return !failed && !ended_ && (rows_.index() == 0 || begun_);  // where a text of words goes on, nobody knows
}

GRAFT_INLINE void example_reader::skip_short_rows() { skips_ = task_.skips_short_rows && split_.labeled(); }

GRAFT_INLINE void example_reader::refuse_empty() const {
  if (skipped_.size() > 0) throw format_error(path_, "holds no rows but " + std::to_string(skipped_.size()) + " that have too few columns");
  if (!read_anything_) throw format_error(path_, "is empty, at least one row was expected");
  throw format_error(path_, "holds no rows");
}

GRAFT_INLINE bool example_reader::next_jsonl(example& row) {
  line_reader& lines = std::get<line_reader>(rows_);
  const bool got = next_jsonl_row(lines, row);
  read_anything_ = read_anything_ || lines.number() > 0;
  if (!got) return false;
  if (!split_.labeled()) row.label.reset();
  if (!split_.labeled()) row.tags.clear();
  if (task_.kind == task_kind::token_classification) {
    if (row.words.empty() && !row.spans && (split_.labeled() || !row.input_ids.empty())) {
      throw format_error::at_line(path_, row.line,
                                  "has no \"tokens\", words, nor \"spans\" of a text, which a task of \"token_classification\" is about");
    }
    if (!split_.labeled()) row.spans.reset();
    if (split_.labeled() && row.tags.empty() && !row.spans) throw format_error::at_line(path_, row.line, "has no \"tags\"");
    return true;
  }
  if (split_.labeled() && !row.label && row.tags.empty() && !row.spans)
    throw format_error::at_line(path_, row.line, row.words.empty() ? "has no \"label\"" : "has no \"tags\"");
  if (task_.custom() || !row.input_ids.empty()) return true;
  if (split_.columns.text_b >= 0 && !row.text_b) {
    throw format_error::at_line(path_, row.line, "has no \"text_b\", the second text that each row of " + task_.name + " has");
  }
  if (split_.columns.text_b < 0 && row.text_b) {
    throw format_error::at_line(path_, row.line, "has a \"text_b\", a row of " + task_.name + " has one text");
  }
  return true;
}

GRAFT_INLINE bool example_reader::next_words(example& row) {
  conll_reader& lines = std::get<conll_reader>(rows_);
  const bool got = lines.next(row);
  read_anything_ = read_anything_ || lines.number() > 0;
  return got;
}

GRAFT_INLINE bool example_reader::next_tsv(example& row) {
  tsv_reader& lines = std::get<tsv_reader>(rows_);
  const auto opens_quote = [](std::string_view text) {
    return text.starts_with('"') && std::count(text.begin(), text.end(), '"') % 2 == 1;
  };
  while (lines.next(row_)) {
    if (!read_anything_) {
      read_anything_ = true;
      begin_tsv();
      if (split_.header) continue;
    }
    if (split_.header && std::equal(row_.fields.begin(), row_.fields.end(), header_.begin(), header_.end())) {
      throw format_error::at_line(path_, row_.line, "repeats the header: were two files joined? Take the line out");
    }
    if (row_.fields.size() > fields_) {
      const bool empty = std::all_of(row_.fields.begin() + static_cast<std::ptrdiff_t>(fields_), row_.fields.end(),
                                     [](auto field) { return field.empty(); });
      refuse_row(empty ? "; the rest is empty: take the tabs at its end out"
                       : "; is there a tab in a text? Write a space for it, or write the rows as a .jsonl");
    }
    if (row_.fields.size() < fields_) {
      if (skips_) {
        skipped_.push_back(row_.line);
        continue;
      }
      const bool open_quote = std::any_of(row_.fields.begin(), row_.fields.end(), opens_quote);
      refuse_row(!split_.labeled() && task_.skips_short_rows ? "; without it the answers that follow would belong to other rows"
                 : open_quote ? "; does a text with a line break in it begin here? There is no quoting: write a space for the break"
                              : "; is a line break or the row's end missing?");
    }
    for (const std::size_t column : unnamed_) {
      const std::string_view field = row_.fields[column];
      const bool number = column == 0 && field.find_first_not_of("0123456789") == std::string_view::npos;
      if (field.empty() || number) continue;
      throw format_error::at_line(path_, row_.line,
                                  "has \"" + printable(field, 60) + "\" in column " + std::to_string(column + 1) +
                                      ", for which the header has no name: name the column there");
    }
    if (fields_ == 1 && opens_quote(row_.fields[0])) {
      throw format_error::at_line(
          path_, row_.line,
          "begins with a \" that is not closed; does a text with a line break in it begin here? There is no quoting: "
          "write a space for the break, or write the rows as a .jsonl");
    }
    const auto field = [&](int column) { return std::string(row_.fields[static_cast<std::size_t>(column)]); };
    row = example();
    row.line = row_.line;
    row.text_a = field(columns_.text_a);
    if (columns_.text_b >= 0) row.text_b = field(columns_.text_b);
    if (columns_.label >= 0) row.label = field(columns_.label);
    if (columns_.adapter >= 0) row.adapter = field(columns_.adapter);
    return true;
  }
  return false;
}

GRAFT_INLINE void example_reader::refuse_row(const std::string& why) const {
  throw format_error::at_line(path_, row_.line,
                              "has " + std::to_string(row_.fields.size()) + " tab-separated columns, " + std::to_string(fields_) +
                                  (split_.header ? " as in the header" : " for " + task_.name + " " + split_.name) + " were expected" +
                                  why);
}

GRAFT_INLINE void example_reader::begin_tsv() {
  columns_ = split_.columns;
  fields_ = row_.fields.size();
  header_.assign(row_.fields.begin(), row_.fields.end());
  if (!split_.header) {
    fields_ = static_cast<std::size_t>(std::max({columns_.text_a, columns_.text_b, columns_.label})) + 1;
  } else if (std::any_of(row_.fields.begin(), row_.fields.end(), [](auto field) { return field.find('\r') != std::string_view::npos; })) {
    refuse_header("has a \\r inside: the file's line ends are \\r alone, \\n or \\r\\n were expected");
  } else if (task_.custom()) {
    name_columns();
  } else {
    check_glue_header();
  }
  begun_ = true;
}

GRAFT_INLINE void example_reader::name_columns() {
  int* const columns[] = {&columns_.text_a, &columns_.text_b, &columns_.label, &columns_.adapter};
  std::vector<std::string> unknown;
  for (std::size_t i = 0; i < fields_; ++i) {
    const std::string_view name = row_.fields[i];
    if (name.empty()) {
      unnamed_.push_back(i);
      continue;
    }
    const auto known = std::find(detail::text_fields.begin(), detail::text_fields.end(), name);
    if (known != detail::text_fields.end()) {
      int& column = *columns[known - detail::text_fields.begin()];
      if (column >= 0) refuse_header("names the column \"" + std::string(name) + "\" twice");
      column = static_cast<int>(i);
    } else if (!detail::is_passed_over(name)) {
      unknown.emplace_back(name);
    }
  }
  if (!unknown.empty()) refuse_header(detail::refused_fields(unknown));
  const bool no_label = split_.labeled() && columns_.label < 0;
  if (columns_.text_a < 0 || no_label) {
    refuse_header(std::string("names no column \"") + (columns_.text_a < 0 ? "text_a" : "label") +
                  "\"; tab-separated names were expected: text_a, text_b (optional), label");
  }
  if (!split_.labeled()) columns_.label = -1;
}

GRAFT_INLINE void example_reader::check_glue_header() const {
  const auto check = [&](int column, const std::string& wanted, const char* what) {
    if (column < 0) return;
    const auto at = static_cast<std::size_t>(column);
    const std::string name(at < fields_ ? row_.fields[at] : std::string_view());
    const std::string meaning = name == "text_a" || name == "text_b" || name == "label" ? name : detail::meaning_of(name);
    const bool second = columns_.text_b >= 0 && name == "sentence";  // QNLI's, behind its question
    if (at < fields_ && (meaning == wanted || (meaning == "text" && wanted == (second ? "text_b" : "text_a")))) return;
    refuse_header((at < fields_ ? "has \"" + printable(name, 60) + "\" in" : "ends before") + " column " + std::to_string(at + 1) + ", " +
                  what + " was expected there: is the first line of GLUE's file missing, or were columns moved?");
  };
  check(columns_.text_a, "text_a", "the first text");
  check(columns_.text_b, "text_b", "the second text");
  check(columns_.label, "label", "the label");
}

GRAFT_INLINE void example_reader::refuse_header(const std::string& what) const {
  const bool one = fields_ == 1 && row_.fields[0].find_first_of(",;|") != std::string_view::npos;
  const std::string separator = one ? "; are the columns separated by something else than tabs?" : "";
  const std::string of = task_.custom() ? "" : " of " + task_.name + " " + split_.name;
  throw format_error::at_line(path_, row_.line, "the header" + of + " " + what + separator);
}

GRAFT_INLINE std::vector<example> read_examples(const task& task, const std::string& split_name, const std::string& path,
                                                std::vector<std::uint64_t>* skipped) {
  example_reader rows(task, split_name, path);
  if (skipped != nullptr) rows.skip_short_rows();
  std::vector<example> examples;
  for (example row; rows.next(row);) {
    if (task.kind == task_kind::token_classification) as_words(row, task.labels_found ? std::vector<std::string>() : task.labels, path);
    examples.push_back(std::move(row));
  }
  if (skipped != nullptr) skipped->insert(skipped->end(), rows.skipped().begin(), rows.skipped().end());
  return examples;
}

}  // namespace graft
