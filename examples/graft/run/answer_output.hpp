#pragma once
// Where a table of answers goes: standard output or a file, packed by gzip or not, in whole lines as they are answered; and what of it an
// earlier run left.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "graft/core/file.hpp"
#include "host/gzip.hpp"
#include "host/input.hpp"

namespace graft::program {

/// Thrown when whoever read the output has gone.
class reader_left : public std::exception {};

/// A table that grows. A file of the name is the table from the first lines on; where something stands there already, the table grows
/// beside it, in NAME.partial, and takes its place when it is complete. A file whose name ends in .gz is packed, 64 KiB of whole lines a
/// member.
class answer_output {
 public:
  /// "": standard output
  explicit answer_output(std::string path) : path_(std::move(path)) {}
  answer_output(const answer_output&) = delete;
  answer_output& operator=(const answer_output&) = delete;
  /// What is not complete stays as it is, in whole lines.
  ~answer_output();

  /// The first lines open the file. A write that fails leaves the lines before it.
  /// @throws backend_error  it cannot be written    @throws reader_left  its reader has gone
  void write(std::string_view lines);
  /// The table is complete.
  void finish();
  /// The beginning of a plain file that was begun becomes START, which is as long as what stands there.
  void replace_start(std::string_view start);
  /// Goes on with the file, or with the one beside it, behind its first BYTES; PENDING are lines that go before what is written next.
  void go_on(bool partial, std::uint64_t bytes, const std::string& pending);

  /// Where a table for PATH grows when something stands there.
  static std::string partial_path(const std::string& path);

 private:
  friend class resumed_table;
  static constexpr std::size_t block = 64U << 10;

  bool packs() const { return path_.ends_with(".gz"); }
  void open();
  void write_bytes(std::string_view bytes);
  [[noreturn]] void fail(int reason) const;

  std::string path_, growing_;
  std::optional<bool> is_partial_;
  std::optional<graft::detail::descriptor> file_;
  bool regular_ = false;
  std::uint64_t size_ = 0;
  std::string text_;  // to be packed
};

/// The whole records of a table that an earlier run left, one after the other; a broken one at the end is none.
class resumed_table {
 public:
  /// @throws format_error  it cannot be read
  explicit resumed_table(const std::string& path);

  /// RECORD becomes the next one, a line with its end, or SIZE bytes if that is not 0; false when there is none.
  /// @throws format_error  gzip data of another kind than answer_output writes
  bool next(std::string& record, std::size_t size = 0);
  /// What is left behind the last whole record.
  const std::string& broken() const { return broken_; }
  /// Bytes of the file that stay, and lines that go behind them.
  std::uint64_t bytes() const { return bytes_; }
  const std::string& pending() const { return pending_; }

 private:
  bool next_block();

  std::string path_;
  bool packed_;
  std::ifstream file_;                    // of a plain one
  std::optional<input_stream> bytes_of_;  // of a packed one
  std::optional<gunzip> gunzip_;
  std::string raw_, text_, broken_, pending_;
  std::string_view left_;
  std::size_t at_ = 0;  // in text_
  std::uint64_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace graft::program
