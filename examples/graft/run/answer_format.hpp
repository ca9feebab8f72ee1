#pragma once
// The form of a file of answers: a header and records, a row's each, which are lines or of one size.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "graft/core/printable.hpp"
#include "graft/predict/predictor.hpp"

namespace graft::program {

class answer_format {
 public:
  answer_format() = default;
  answer_format(const answer_format&) = delete;
  answer_format& operator=(const answer_format&) = delete;
  virtual ~answer_format() = default;

  /// What stands in front of ROWS records, a line where those are lines; "": nothing.
  virtual std::string header(std::uint64_t rows) const = 0;
  /// The record of row INDEX, with its end.
  virtual std::string row(const answer& a, std::uint64_t index) const = 0;
  /// Whether RECORD can be that of row INDEX.
  virtual bool is_row(std::string_view record, std::uint64_t index) const = 0;
  /// Whether RECORD is that of a row without an answer.
  virtual bool is_error(std::string_view record) const = 0;
  /// Bytes of a record that is no line; 0: it is.
  virtual std::size_t record_size() const { return 0; }
  /// Whether RECORD stands in front of some number of rows.
  virtual bool is_header(std::string_view record) const { return record == header(0); }
  /// Whether RECORD is how a header begins.
  virtual bool begins_header(std::string_view record) const { return header(0).starts_with(record); }
  /// Whether the header says how many rows there are.
  bool counts_rows() const { return record_size() > 0; }
  /// RECORD as it can stand in a message.
  virtual std::string shown(std::string_view record) const {
    return printable(std::string(record.substr(0, record.size() - (record.ends_with('\n') ? 1 : 0))), 200);
  }
};

}  // namespace graft::program
