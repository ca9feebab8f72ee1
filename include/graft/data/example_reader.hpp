#pragma once
// The examples of a task's split, from a .tsv or .jsonl file or from a pipe: row after row, or all of them.

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "graft/data/conll.hpp"
#include "graft/data/example.hpp"
#include "graft/data/tasks.hpp"
#include "graft/data/tsv.hpp"

namespace graft {

/// "left 2 rows out that have too few columns: line 3, 8"
std::string skipped_rows_text(const std::vector<std::uint64_t>& lines);

/// Examples one after the other, in file order: .tsv in GLUE's form (for a custom task: with a header that names text_a, text_b and label),
/// or .jsonl; of tags for words .jsonl, or columns (data/conll.hpp) in a file of any other name. All rows of a split that is not a test
/// split have labels; those of a test split are not read. Every row is an example, so that the n-th answer is the n-th row's. Nothing in a
/// row is passed over but what data/fields.hpp lists. Tested: tests/data/example_reader_test.cpp
class example_reader {
 public:
  /// @throws format_error  unreadable, or another extension than the two
  /// @throws config_error  the task has no such split
  example_reader(const task& of, const std::string& split_name, const std::string& path)
      : example_reader(of, split_name, line_reader(path), path) {}
  /// The same of LINES, in the format that the file name NAME says, or their beginning where it ends in no extension and is no file.
  example_reader(const task& of, const std::string& split_name, line_reader lines, const std::string& name);

  /// ROW becomes the next example; false when there is none.
  /// @throws format_error  with file and line: a row with too few or too many columns, an unknown one, or what the two formats refuse;
  ///                       at the end, when there was no row at all
  bool next(example& row);
  /// Whether `next` would give a row, or find the end, without waiting: as of line_reader.
  bool ready();
  /// Whether, behind an error that `next` threw, it can go on with the row behind the one that was refused.
  bool goes_on() const;
  /// From now on, rows with too few columns are left out if the task is known to have some and this is not a test split. Whoever numbers
  /// rows must not ask for it.
  void skip_short_rows();
  /// The lines of the rows that were left out.
  const std::vector<std::uint64_t>& skipped() const { return skipped_; }

 private:
  [[noreturn]] void refuse_empty() const;

  bool next_jsonl(example& row);

  bool next_tsv(example& row);

  [[noreturn]] void refuse_row(const std::string& why) const;

  /// Learns from the first row, or from the task, where what stands.
  void begin_tsv();

  /// The columns that the header of a custom TSV names.
  void name_columns();

  /// GLUE's columns lie where they are expected: no row was lost for a header, and no column moved.
  void check_glue_header() const;
  [[noreturn]] void refuse_header(const std::string& what) const;

  task task_;
  task_split split_;
  std::string path_;
  bool next_words(example& row);

  std::variant<line_reader, tsv_reader, conll_reader> rows_ = line_reader({}, "");
  tsv_row row_;
  tsv_columns columns_;
  std::vector<std::string> header_;
  std::size_t fields_ = 0;            // in each row of a TSV
  std::vector<std::size_t> unnamed_;  // columns that the header leaves without a name
  std::vector<std::uint64_t> skipped_;
  std::size_t count_ = 0;
  bool skips_ = false;
  bool read_anything_ = false;
  bool begun_ = false;  // where what stands in a TSV is known
  bool ended_ = false;
};

/// The examples of SPLIT in the file PATH, in file order; of tags for words all as words (data/tags.hpp, as_words).
/// @param[in,out] skipped  gets the lines of rows left out for want of columns, which happens for QQP's labeled splits alone; without it
///                         such a row is refused
/// @throws format_error, config_error  as example_reader
std::vector<example> read_examples(const task& task, const std::string& split_name, const std::string& path,
                                   std::vector<std::uint64_t>* skipped = nullptr);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/example_reader-inl.hpp"  // IWYU pragma: export
#endif
