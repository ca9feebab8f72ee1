#pragma once
// Bodies of graft/data/lines.hpp.

#include <cstdio>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/lines.hpp"

namespace graft {

GRAFT_INLINE byte_source bytes_of(const std::string& path) {
  return [stream = std::make_shared<input_stream>(path)](char* into, std::size_t count) { return stream->read(into, count); };
}

}  // namespace graft

namespace graft::detail {

/// What kind of file begins with HEAD, if it is none of lines in UTF-8: "UTF-16 text", ..., and what to do about it; "" if it may be one.
GRAFT_INLINE std::string foreign_kind(std::string_view head) {
  using namespace std::string_view_literals;
  static constexpr std::pair<std::string_view, const char*> kinds[] = {
      {"\xFF\xFE\0\0"sv, "is UTF-32 text (little-endian): convert it, with iconv -f UTF-32 -t UTF-8 for one"},
      {"\0\0\xFE\xFF"sv, "is UTF-32 text (big-endian): convert it, with iconv -f UTF-32 -t UTF-8 for one"},
      {"\xFF\xFE"sv, "is UTF-16 text (little-endian): convert it, with iconv -f UTF-16 -t UTF-8 for one"},
      {"\xFE\xFF"sv, "is UTF-16 text (big-endian): convert it, with iconv -f UTF-16 -t UTF-8 for one"},
      {"\x1F\x8B"sv, "is compressed with gzip: unpack it (gunzip)"},
      {"BZh91AY"sv, "is compressed with bzip2: unpack it (bunzip2)"},
      {"\xFD"
       "7zXZ"sv,
       "is compressed with xz: unpack it (unxz)"},
      {"\x28\xB5\x2F\xFD"sv, "is compressed with zstd: unpack it (unzstd)"},
      {"PK\x03\x04"sv, "is a zip archive (an .xlsx table is one too): unpack it, or save the table as tab-separated text in UTF-8"},
      {"\xD0\xCF\x11\xE0"sv, "is an old Office document, .xls perhaps: save the table as tab-separated text in UTF-8"},
      {"PAR1\x15"sv, "is a Parquet file: write its rows as a .jsonl (to_json(PATH, orient=\"records\", lines=True) in pandas)"},
      {"ARROW1\0"sv, "is an Arrow file: write its rows as a .jsonl (Dataset.to_json in datasets)"},
      {"\xFF\xFF\xFF\xFF"sv, "is an Arrow stream: write its rows as a .jsonl (Dataset.to_json in datasets)"},
      {"FEA1\0"sv, "is a Feather file: write its rows as a .jsonl"},
      {"SQLite format 3\0"sv, "is an SQLite database: write its rows as a .tsv or .jsonl"},
      {"\x89HDF"sv, "is an HDF5 file: write its rows as a .tsv or .jsonl"},
      {"\x93NUMPY"sv, "is a NumPy file: write its rows as a .tsv or .jsonl"},
      {"%PDF-"sv, "is a PDF document: save the rows as text in UTF-8"},
  };
  for (const auto& [start, kind] : kinds) {
    if (head.starts_with(start)) return std::string(kind) + "; lines of UTF-8 text were expected";
  }
  return "";
}

/// Why the bytes of TEXT at AT are not UTF-8: "... at byte 4 of the line, 0xe9: ...".
GRAFT_INLINE std::string why_no_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  char where[64];
  std::snprintf(where, sizeof where, "invalid UTF-8 at byte %zu of the line, 0x%02x: ", at + 1, byte(at));
  const char* why = "Latin-1, Windows-1252 or another encoding? Convert the file, with iconv -f WINDOWS-1252 -t UTF-8 for one";
  if (byte(at) == 0xED && byte(at + 1) >= 0xA0 && byte(at + 1) < 0xC0)
    why = "half of a surrogate pair (CESU-8?); convert the file to UTF-8";
  if (byte(at) == 0xC0 || byte(at) == 0xC1) why = "an overlong form (modified UTF-8?); convert the file to UTF-8";
  if (text.find('\0') != std::string_view::npos)
    why = "UTF-16 or UTF-32 without a byte-order mark, or a binary file? UTF-8 text was expected";
  return std::string(where) + why;
}

/// Whether LINE holds nothing to see: white space, or the Ctrl-Z with which old editors end a file.
GRAFT_INLINE bool is_blank(std::string_view line) { return line.find_first_not_of(" \r\v\f\x1A") == std::string_view::npos; }

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE void check_utf8(std::string_view text, const std::string& path, std::uint64_t line) {
  if (const auto at = detail::invalid_utf8(text); at != text.npos) throw format_error::at_line(path, line, detail::why_no_utf8(text, at));
}

GRAFT_INLINE bool line_reader::next(std::string_view& line) {
  start();
  if (too_long_) pass_line();
  std::size_t end = scan();
  while (end == std::string::npos && fill()) end = scan();
  if (begin_ == buffer_.size()) return false;
  ++number_;
  const bool whole = end != std::string::npos;
  line = std::string_view(buffer_).substr(begin_, (whole ? end : buffer_.size()) - begin_);
  begin_ = scanned_ = whole ? end + 1 : buffer_.size();
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  check(line);
  return true;
}

GRAFT_INLINE bool line_reader::ready() {
  while (source_ready_ && !ended_ && buffer_.size() - begin_ <= longest) {
    const std::size_t seen = buffer_.find_first_not_of(" \t\r\v\f\x1A\n", begin_);
    if (seen != std::string::npos && buffer_.find('\n', seen) != std::string::npos) return true;
    if (!source_ready_()) return false;
    fill();
  }
  return true;
}

GRAFT_INLINE std::string_view line_reader::ahead() {
  start();
  return std::string_view(buffer_).substr(begin_);
}

GRAFT_INLINE line_reader& line_reader::allow_nul() { return nul_ = true, *this; }

GRAFT_INLINE void line_reader::start() {
  if (started_) return;
  started_ = true;
  while (buffer_.size() < 16 && scan() == std::string::npos && fill()) {
  }
  const std::string kind = detail::foreign_kind(buffer_);
  failed_ = !kind.empty();
  if (failed_) throw format_error(path_, kind);
  if (buffer_.starts_with(detail::byte_order_mark)) begin_ = scanned_ = detail::byte_order_mark.size();
}

GRAFT_INLINE std::size_t line_reader::scan() {
  const std::size_t end = buffer_.find('\n', scanned_);
  scanned_ = end == std::string::npos ? buffer_.size() : end;
  if (scanned_ - begin_ <= longest) return end;
  too_long_ = true;
  throw format_error::at_line(path_, ++number_,
                              "is longer than " + std::to_string(longest >> 20) +
                                  " MiB, the most for a line: rows end at \\n; are the line ends of another kind, or is this no text?");
}

GRAFT_INLINE bool line_reader::fill() {
  if (ended_) return false;
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const std::size_t size = buffer_.size();
  const std::size_t wanted = size < block_bytes ? block_bytes : size;  // as much again: a long line is copied a few times, not a thousand
  buffer_.resize(size + wanted);
  failed_ = true;  // unless the source comes back
  const std::size_t got = source_(buffer_.data() + size, wanted);
  failed_ = false;
  buffer_.resize(size + got);
  ended_ = got == 0;
  return got > 0;
}

GRAFT_INLINE void line_reader::pass_line() {
  too_long_ = false;
  std::size_t end = buffer_.find('\n', begin_);
  while (end == std::string::npos) {
    begin_ = scanned_ = buffer_.size();
    if (!fill()) return;
    end = buffer_.find('\n');
  }
  begin_ = scanned_ = end + 1;
}

GRAFT_INLINE void line_reader::check(std::string_view line) const {
  if (line.starts_with(detail::byte_order_mark)) {
    throw format_error::at_line(path_, number_,
                                "begins with a byte-order mark (U+FEFF), which is invisible: were two files joined? Take it out");
  }
  check_utf8(line, path_, number_);
  if (nul_) return;
  const std::size_t nul = line.find('\0');
  if (nul != std::string_view::npos) {
    throw format_error::at_line(path_, number_,
                                "holds a NUL byte, at byte " + std::to_string(nul + 1) +
                                    " of the line: UTF-16 or UTF-32 without a byte-order mark, or a binary file? UTF-8 text was expected");
  }
}

GRAFT_INLINE bool row_reader::next(std::string_view& line) {
  while (!held_) {
    if (!lines_.next(row_)) return false;
    held_ = !detail::is_blank(row_);
    if (!held_ && blank_ == 0) blank_ = lines_.number();
  }
  if (blank_ != 0 && blank_ < lines_.number()) {
    throw format_error::at_line(path(), blank_++,
                                "is blank, and rows follow: take the line out (blank lines are passed over only at the end)");
  }
  blank_ = 0;
  held_ = false;
  line = row_;
  return true;
}

}  // namespace graft
