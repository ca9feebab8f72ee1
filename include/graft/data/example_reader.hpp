#pragma once
// The examples of a task's split, from a .tsv or .jsonl file or from a pipe: row after row, or all of them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "graft/data/example.hpp"
#include "graft/data/fields.hpp"
#include "graft/data/jsonl.hpp"
#include "graft/data/tasks.hpp"
#include "graft/data/tsv.hpp"

namespace graft {

namespace detail {

/// Whether the file PATH holds JSON lines, and not tab-separated ones. What is no file of a name, as /dev/stdin or what a shell makes of
/// <(COMMAND), is told by the START of its text.
/// @throws format_error  PATH ends otherwise
inline bool is_jsonl(const std::string& path, std::string_view start) {
  const std::string extension = lower_ascii(std::filesystem::path(path).extension().string());
  if (extension == ".tsv" || extension == ".jsonl") return extension == ".jsonl";
  std::error_code none;
  const bool named = std::filesystem::is_regular_file(path, none) && !path.starts_with("/dev/") && !path.starts_with("/proc/");
  if (!named && extension.empty()) return start.starts_with('{') || start.starts_with('[');
  const char* cure = "";
  if (extension == ".csv" || extension == ".txt") cure = ": save the rows separated by tabs, without quotes, as a .tsv, or as a .jsonl";
  if (extension == ".json" || extension == ".ndjson") cure = ": write one object a line (jq -c '.[]' makes them of an array) as a .jsonl";
  if (is_among(std::array{".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz"}, extension)) cure = ": unpack it";
  if (is_among(std::array{".parquet", ".arrow", ".feather", ".xlsx", ".xls", ".ods"}, extension)) cure = ": write its rows as a .jsonl";
  throw format_error(path, "ends in \"" + printable(extension, 20) + "\", a .tsv or .jsonl file was expected" + cure);
}

/// "3, 8, 9 and 4 more"
inline std::string listed_lines(const std::vector<std::uint64_t>& lines) {
  constexpr std::size_t most = 10;
  const std::size_t shown = std::min(most, lines.size());
  std::string text =
      listed(std::vector(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(shown)), [](auto n) { return std::to_string(n); });
  return lines.size() > shown ? text + " and " + std::to_string(lines.size() - shown) + " more" : text;
}

}  // namespace detail

/// "left 2 rows out that have too few columns: line 3, 8"
inline std::string skipped_rows_text(const std::vector<std::uint64_t>& lines) {
  return "left " + std::to_string(lines.size()) + (lines.size() == 1 ? " row" : " rows") + " out that " +
         (lines.size() == 1 ? "has" : "have") + " too few columns: line " + detail::listed_lines(lines);
}

/// Examples one after the other, in file order: .tsv in GLUE's form (for a custom task: with a header that names text_a, text_b and label),
/// or .jsonl. All rows of a split that is not a test split have labels; those of a test split are not read.
/// Every row is an example, so that the n-th answer is the n-th row's. Nothing in a row is passed over but what data/fields.hpp lists.
/// Tested: tests/data/example_reader_test.cpp
class example_reader {
 public:
  /// @throws format_error  unreadable, or another extension than the two
  /// @throws config_error  the task has no such split
  example_reader(const task& of, const std::string& split_name, const std::string& path) : task_(of), path_(path) {
    const auto split = std::find_if(task_.splits.begin(), task_.splits.end(), [&](const task_split& s) { return s.name == split_name; });
    if (split == task_.splits.end()) throw config_error("task " + task_.name + " has no split \"" + printable(split_name, 60) + "\"");
    split_ = *split;
    line_reader lines(path);
    const std::string_view start = lines.ahead();
    detail::refuse_stand_in(start.substr(0, 64), path_);
    if (detail::is_jsonl(path_, start)) {
      rows_ = std::move(lines);
    } else {
      rows_ = tsv_reader(std::move(lines));
    }
  }

  /// ROW becomes the next example; false when there is none.
  /// @throws format_error  with file and line: a row with too few or too many columns, an unknown one, or what the two formats refuse;
  ///                       at the end, when there was no row at all
  bool next(example& row) {
    const bool got = rows_.index() == 0 ? next_jsonl(row) : next_tsv(row);
    if (got) {
      ++count_;
      return true;
    }
    if (count_ == 0) refuse_empty();
    return false;
  }
  /// From now on, rows with too few columns are left out if the task is known to have some and this is not a test split. Whoever numbers
  /// rows must not ask for it.
  void skip_short_rows() { skips_ = task_.skips_short_rows && split_.labeled(); }
  /// The lines of the rows that were left out.
  const std::vector<std::uint64_t>& skipped() const { return skipped_; }

 private:
  [[noreturn]] void refuse_empty() const {
    if (skipped_.size() > 0)
      throw format_error(path_, "holds no rows but " + std::to_string(skipped_.size()) + " that have too few columns");
    if (!read_anything_) throw format_error(path_, "is empty, at least one row was expected");
    throw format_error(path_, "holds no rows");
  }

  bool next_jsonl(example& row) {
    line_reader& lines = std::get<line_reader>(rows_);
    const bool got = next_jsonl_row(lines, row);
    read_anything_ = read_anything_ || lines.number() > 0;
    if (!got) return false;
    if (!split_.labeled()) row.label.reset();
    if (split_.labeled() && !row.label) throw format_error::at_line(path_, row.line, "has no \"label\"");
    if (task_.custom() || !row.input_ids.empty()) return true;
    if (split_.columns.text_b >= 0 && !row.text_b) {
      throw format_error::at_line(path_, row.line, "has no \"text_b\", the second text that each row of " + task_.name + " has");
    }
    if (split_.columns.text_b < 0 && row.text_b) {
      throw format_error::at_line(path_, row.line, "has a \"text_b\", a row of " + task_.name + " has one text");
    }
    return true;
  }

  bool next_tsv(example& row) {
    tsv_reader& lines = std::get<tsv_reader>(rows_);
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
        const bool open_quote = std::any_of(row_.fields.begin(), row_.fields.end(), [](std::string_view field) {
          return field.starts_with('"') && std::count(field.begin(), field.end(), '"') % 2 == 1;
        });
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

  [[noreturn]] void refuse_row(const std::string& why) const {
    throw format_error::at_line(path_, row_.line,
                                "has " + std::to_string(row_.fields.size()) + " tab-separated columns, " + std::to_string(fields_) +
                                    (split_.header ? " as in the header" : " for " + task_.name + " " + split_.name) + " were expected" +
                                    why);
  }

  /// Learns from the first row, or from the task, where what stands.
  void begin_tsv() {
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
  }

  /// The columns that the header of a custom TSV names.
  void name_columns() {
    int* const places[] = {&columns_.text_a, &columns_.text_b, &columns_.label, &columns_.adapter};
    std::vector<std::string> unknown;
    for (std::size_t i = 0; i < fields_; ++i) {
      const std::string_view name = row_.fields[i];
      if (name.empty()) {
        unnamed_.push_back(i);
        continue;
      }
      const auto known = std::find(detail::text_fields.begin(), detail::text_fields.end(), name);
      if (known != detail::text_fields.end()) {
        int& place = *places[known - detail::text_fields.begin()];
        if (place >= 0) refuse_header("names the column \"" + std::string(name) + "\" twice");
        place = static_cast<int>(i);
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

  /// GLUE's columns lie where they are expected: no row was lost for a header, and no column moved.
  void check_glue_header() const {
    const auto check = [&](int column, const std::string& wanted, const char* what) {
      if (column < 0) return;
      const auto at = static_cast<std::size_t>(column);
      const std::string name(at < fields_ ? row_.fields[at] : std::string_view());
      const std::string meaning = name == "text_a" || name == "text_b" || name == "label" ? name : detail::meaning_of(name);
      if (at < fields_ && (meaning == wanted || (meaning == "text" && wanted != "label"))) return;
      refuse_header((at < fields_ ? "has \"" + printable(name, 60) + "\" in" : "ends before") + " column " + std::to_string(at + 1) + ", " +
                    what + " was expected there: is the first line of GLUE's file missing, or were columns moved?");
    };
    check(columns_.text_a, "text_a", "the first text");
    check(columns_.text_b, "text_b", "the second text");
    check(columns_.label, "label", "the label");
  }
  [[noreturn]] void refuse_header(const std::string& what) const {
    const bool one = fields_ == 1 && row_.fields[0].find_first_of(",;|") != std::string_view::npos;
    const std::string separator = one ? "; are the columns separated by something else than tabs?" : "";
    const std::string of = task_.custom() ? "" : " of " + task_.name + " " + split_.name;
    throw format_error::at_line(path_, row_.line, "the header" + of + " " + what + separator);
  }

  task task_;
  task_split split_;
  std::string path_;
  std::variant<line_reader, tsv_reader> rows_ = line_reader({}, "");
  tsv_row row_;
  tsv_columns columns_;
  std::vector<std::string> header_;
  std::size_t fields_ = 0;            // in each row of a TSV
  std::vector<std::size_t> unnamed_;  // columns that the header leaves without a name
  std::vector<std::uint64_t> skipped_;
  std::size_t count_ = 0;
  bool skips_ = false;
  bool read_anything_ = false;
};

/// The examples of SPLIT in the file PATH, in file order.
/// @param[in,out] skipped  gets the lines of rows left out for want of columns, which happens for QQP's labeled splits alone; without it
///                         such a row is refused
/// @throws format_error, config_error  as example_reader
inline std::vector<example> read_examples(const task& task, const std::string& split_name, const std::string& path,
                                          std::vector<std::uint64_t>* skipped = nullptr) {
  example_reader rows(task, split_name, path);
  if (skipped != nullptr) rows.skip_short_rows();
  std::vector<example> examples;
  for (example row; rows.next(row);) examples.push_back(std::move(row));
  if (skipped != nullptr) skipped->insert(skipped->end(), rows.skipped().begin(), rows.skipped().end());
  return examples;
}

}  // namespace graft
