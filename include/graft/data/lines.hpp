#pragma once
// The lines of a text as every reader of rows needs them: read as they come, numbered, without byte-order mark and line ends, checked to be
// UTF-8.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace graft {

/// Where bytes come from: reads up to COUNT of them to INTO and gives how many they were, 0 at the end; throws when reading fails.
using byte_source = std::function<std::size_t(char* into, std::size_t count)>;

/// The bytes of the file or pipe PATH.
/// @throws format_error  as input_stream
byte_source bytes_of(const std::string& path);

/// Throws unless TEXT, which is line LINE of PATH, is valid UTF-8.
/// @throws format_error  with the first offending byte, counted from 1 within the line
void check_utf8(std::string_view text, const std::string& path, std::uint64_t line);

/// Lines one after the other, in memory for the longest of them. They end in `\n` or `\r\n`, the last may lack it; a byte-order mark at the
/// start of the text is left out.
/// Tested: tests/data/lines_test.cpp
class line_reader {
 public:
  /// Bytes in a line at most. Text of this length takes a tokenizer about 30 times as much memory.
  static constexpr std::size_t longest = std::size_t{16} << 20;

  /// @param path  where SOURCE's bytes come from, for errors
  line_reader(byte_source source, std::string path) : source_(std::move(source)), path_(std::move(path)) {}
  explicit line_reader(const std::string& path) : line_reader(bytes_of(path), path) {}

  /// LINE becomes the next line, which stays as it is until the next call; false when there is none.
  /// @throws format_error  the text is of another kind (compressed, UTF-16, ...), or the line is too long, is not UTF-8, holds a NUL byte (
  ///                       unless it may), or begins with a byte-order mark, behind that of the text; reading fails. Behind a line that
  ///                       is refused, `next` goes on with the one that follows, unless the text has failed()
  bool next(std::string_view& line);
  /// Whether `next` would give a line that is not blank, or find the end of the text, without waiting for the source; always, unless
  /// told_by().
  bool ready();
  /// SOURCE_READY says whether the source would give something, or its end, at once.
  line_reader& told_by(std::function<bool()> source_ready) { return source_ready_ = std::move(source_ready), *this; }
  /// Whether nothing more can be read: reading failed, or the text is of another kind.
  bool failed() const { return failed_; }
  /// What has been read and not been given yet; before the first line the beginning of the text, empty only if there is no text.
  std::string_view ahead();
  /// Which line `next` gave, counted from 1.
  std::uint64_t number() const { return number_; }
  const std::string& path() const { return path_; }
  /// NUL bytes are text like any other.
  line_reader& allow_nul();

 private:
  /// Reads the beginning of the text, and looks what it is.
  void start();
  /// Where the line ends that begins at `begin_`, if its end has been read.
  std::size_t scan();
  /// Reads on; false at the end of the text.
  bool fill();
  /// Leaves out what is there, and what comes, of a line that was too long.
  void pass_line();
  void check(std::string_view line) const;

  static constexpr std::size_t block_bytes = std::size_t{64} << 10;

  byte_source source_;
  std::function<bool()> source_ready_;
  std::string path_;
  std::string buffer_;  // the line that is next begins at begin_; up to scanned_ there is no \n
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;
  std::uint64_t number_ = 0;
  bool started_ = false;
  bool ended_ = false;
  bool nul_ = false;
  bool too_long_ = false;  // the line at begin_
  bool failed_ = false;
};

/// The lines of a table, in which a blank line (empty, or spaces or a Ctrl-Z alone) is no row. Some at the end are passed over, as editors
/// and exporters leave them; one with rows behind it is refused, for rows counted without it would no longer be those of the file.
class row_reader {
 public:
  explicit row_reader(line_reader lines) : lines_(std::move(lines)) {}

  /// @throws format_error  as line_reader; a blank line with rows behind it, and then again for each other one before that row
  bool next(std::string_view& line);
  /// As of line_reader.
  bool ready() { return held_ || lines_.ready(); }
  bool failed() const { return lines_.failed(); }
  std::uint64_t number() const { return lines_.number(); }
  const std::string& path() const { return lines_.path(); }

 private:
  line_reader lines_;
  std::string_view row_;  // that was read, but not given yet, if held_
  bool held_ = false;
  std::uint64_t blank_ = 0;  // the first blank line before it, 0: none
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/lines-inl.hpp"  // IWYU pragma: export
#endif
