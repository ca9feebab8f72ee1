#pragma once
// Words with tags in columns, a line each, a blank line behind every text: the files of the CoNLL shared tasks.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/data/example.hpp"
#include "graft/data/lines.hpp"

namespace graft {

/// Whether WORD, the first of a text, may be what comments begin with.
bool begins_as_comment(std::string_view word);

/// Texts one after the other. Columns are separated by tabs where there is one in the line, else by spaces; each line has as many as the
/// first. The first column is the word. Lines that begin with -DOCSTART- are passed over.
/// Source: CoNLL-2003 (Tjong Kim Sang and De Meulder).   Tested: tests/data/conll_test.cpp
class conll_reader {
 public:
  /// TAGGED: column TAG_COLUMN, from 1, holds the word's tag; 0: the last column. If not, no tag is read. KNOWN: tags that words may have.
  conll_reader(line_reader lines, bool tagged, int tag_column, const std::vector<std::string>& known = {})
      : lines_(std::move(lines)), tagged_(tagged), tag_column_(tag_column), seen_(known.begin(), known.end()) {}

  /// ROW becomes the next text: its words, and their tags; false when there is none.
  /// @throws format_error  a line with another number of columns than the first, with too few, or with an empty one; a comment among words:
  ///                       it says something in a column that is "_" for every word; or, where no tag is read, its last column, or the
  ///                       one of the tags, is none of the known ones, nor that of a word read so far
  bool next(example& row);
  /// As of line_reader.
  bool ready() { return lines_.ready(); }
  bool failed() const { return lines_.failed(); }
  const std::string& path() const { return lines_.path(); }
  std::uint64_t number() const { return lines_.number(); }

 private:
  void add_word(std::string_view line, example& row);
  std::size_t tag_index() const { return tag_column_ > 0 ? static_cast<std::size_t>(tag_column_ - 1) : columns_ - 1; }
  void note_hash(const example& row, bool tabs);
  void refuse_comment(const example& row) const;

  line_reader lines_;
  bool tagged_;
  int tag_column_;
  std::size_t columns_ = 0;           // in each line; 0: no line was read
  bool begins_with_comment_ = false;  // or with a word that begins as one
  std::vector<std::string_view> fields_;
  std::vector<std::string> hashes_;                // of a text's first lines that begin with "#" as comments do, what stands for a tag
  std::set<std::string, std::less<>> seen_;        // the same of all other lines, of which not more than most_seen are kept
  static constexpr std::size_t most_seen = 10000;  // nobody has as many tags
  std::vector<bool> is_filled_, is_empty_;  // columns of a text's first line, if it begins with #, and of all others, where they are "_"
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/conll-inl.hpp"  // IWYU pragma: export
#endif
