#pragma once
// Rows to answer, one after the other: of a file, a pipe or standard input.

#include <functional>
#include <memory>
#include <string>

#include "graft/data/example.hpp"
#include "graft/data/tasks.hpp"
#include "host/input.hpp"

namespace graft::program {

struct row_source {
  /// Gives the next row, false when there is none.
  std::function<bool(example&)> next;
  /// Whether it would do so without waiting.
  std::function<bool()> ready;
  /// Whether, behind an error that it threw, it can go on with the row behind the one that was refused.
  std::function<bool()> goes_on;
};

/// Lines of TEXT [tab TEXT], without a header, as they come from standard input, which is BYTES.
row_source rows_of_lines(const std::shared_ptr<input_bytes>& bytes);

/// The rows of SPLIT in the file PATH, whose bytes BYTES are: what its name says without a last ".gz".
row_source rows_of_file(const task& task, const std::string& split, const std::string& path, const std::shared_ptr<input_bytes>& bytes);

/// What SOURCE gives, but for rows that it refuses and can go on behind: they are rows with an `error`, and their line.
row_source with_bad_rows(const row_source& source, const std::string& name);

}  // namespace graft::program
