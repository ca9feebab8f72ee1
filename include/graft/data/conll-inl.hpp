#pragma once
// Bodies of graft/data/conll.hpp.

#include <algorithm>
#include <string>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/printable.hpp"
#include "graft/data/conll.hpp"

namespace graft {

GRAFT_INLINE bool begins_as_comment(std::string_view word) { return word == "#" || word.starts_with("# "); }

GRAFT_INLINE bool conll_reader::next(example& row) {
  row = example();
  for (std::string_view line; lines_.next(line);) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\x1A')) line.remove_suffix(1);
    const bool blank = line.find_first_not_of(" \t") == std::string_view::npos;
    if (blank || line.starts_with("-DOCSTART-")) {
      if (!row.words.empty()) break;
      continue;
    }
    if (row.words.empty()) row.line = lines_.number();
    add_word(line, row);
  }
  refuse_comment(row);
  return !row.words.empty();
}

/// A comment that has as many columns as words is no word: nothing else has what stands where its tag would. A tab behind "#" is none's.
GRAFT_INLINE void conll_reader::note_hash(const example& row, bool tabs) {
  if (columns_ < 2 || tagged_) return;
  const std::string_view tag = fields_[std::min(tag_index(), columns_ - 1)];
  if (row.words.empty()) hashes_.clear();
  if (row.words.size() == hashes_.size() && begins_as_comment(fields_[0]) && !(tabs && fields_[0] == "#")) {
    hashes_.emplace_back(tag);
  } else if (seen_.size() < most_seen && !seen_.contains(tag)) {
    seen_.emplace(tag);
  }
}

GRAFT_INLINE void conll_reader::refuse_comment(const example& row) const {
  for (std::size_t i = 0; i < std::min(hashes_.size(), row.words.size()); ++i) {
    const bool tag_like = hashes_[i] == "O" || (hashes_[i].size() > 2 && hashes_[i][1] == '-' &&
                                                std::string_view("BIESLUM").find(hashes_[i][0]) != std::string_view::npos);
    if (hashes_[i] == "#" || tag_like || seen_.contains(hashes_[i]) || seen_.size() == most_seen) continue;
    throw format_error::at_line(
        path(), row.line + i,
        "begins with a \"#\" and has \"" + printable(hashes_[i], 60) + "\" in column " +
            std::to_string(std::min(tag_index(), columns_ - 1) + 1) +
            ", as no word before it has: comments (#) are not read: take them out; if it is a word, write the rows as a .jsonl");
  }
  if (row.words.size() < 2 || row.words[0] != "#") return;
  for (std::size_t c = 1; c < columns_; ++c) {
    if (!is_filled_[c] || !is_empty_[c]) continue;
    throw format_error::at_line(path(), row.line,
                                "begins with a \"#\" and says something in column " + std::to_string(c + 1) +
                                    ", which is \"_\" for every word: comments (#) are not read: take them out");
  }
}

GRAFT_INLINE void conll_reader::add_word(std::string_view line, example& row) {
  const auto refuse = [&](const std::string& what) { throw format_error::at_line(path(), lines_.number(), what); };
  const bool tabs = line.find('\t') != std::string_view::npos;
  fields_.clear();
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(tabs ? '\t' : ' ', begin), line.size());
    const std::string_view field = line.substr(begin, end - begin);
    if (tabs || !field.empty()) fields_.push_back(field);
    begin = end + 1;
  }
  for (const std::string_view field : fields_) {
    if (field.empty()) refuse("has an empty column: a word, and its tag behind it, were expected");
  }
  constexpr const char* no_comments = "; comments (#) are not read: take them out";
  const bool comment = line.starts_with('#');
  const std::size_t needed = !tagged_ ? 1 : tag_column_ > 0 ? static_cast<std::size_t>(tag_column_) : 2;
  if (columns_ == 0 && fields_.size() < needed) {
    refuse("has " + std::to_string(fields_.size()) + (fields_.size() == 1 ? " column, " : " columns, ") +
           (tag_column_ > 0 ? std::to_string(needed) + " or more (\"tag_column\") were expected"
                            : "a word and its tag, with a tab or spaces between, were expected") +
           (comment ? no_comments : ""));
  }
  if (columns_ == 0) {
    columns_ = fields_.size();
    begins_with_comment_ = comment;
  }
  if (fields_.size() != columns_) {
    refuse("has " + std::to_string(fields_.size()) + (fields_.size() == 1 ? " column, " : " columns, ") + std::to_string(columns_) +
           " as in the first line were expected; a blank line ends a text" + (comment || begins_with_comment_ ? no_comments : ""));
  }
  if (row.words.empty()) is_filled_.assign(columns_, false), is_empty_.assign(columns_, true);
  for (std::size_t c = 1; c < columns_; ++c) {
    if (row.words.empty()) {
      is_filled_[c] = fields_[c] != "_";
    } else if (fields_[c] != "_") {
      is_empty_[c] = false;
    }
  }
  note_hash(row, tabs);
  row.words.emplace_back(fields_[0]);
  if (tagged_) row.tags.emplace_back(tag_column_ > 0 ? fields_[static_cast<std::size_t>(tag_column_ - 1)] : fields_.back());
}

}  // namespace graft
