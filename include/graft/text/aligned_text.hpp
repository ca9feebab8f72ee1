#pragma once
// A text on its way through a tokenizer that remembers, where somebody asked, which characters of the text as given it stands for.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/utf8.hpp"
#include "graft/text/text_layout.hpp"

namespace graft::detail {

/// Bytes [begin, end) of a text.
struct byte_range {
  std::size_t begin;
  std::size_t end;
};

/// Where a model puts what it makes of a word.
struct piece_list {
  std::vector<std::int32_t>& ids;
  std::vector<byte_range>* ranges = nullptr;  // of each id, in the text that the word is part of; null: not wanted
  std::size_t word = 0;                       // where the word begins in that text

  /// ID for bytes [BEGIN, END) of the word.
  void push(std::int32_t id, std::size_t begin, std::size_t end) {
    ids.push_back(id);
    if (ranges != nullptr) ranges->push_back({word + begin, word + end});
  }
};

struct aligned_text {
  bool aligned = false;
  std::string text;
  std::vector<text_span> from;  // where ALIGNED: of every byte, the code points that it stands for
  std::int32_t origin = 0;      // the code point at which the text begins

  /// TEXT, from code point ORIGIN on, as it stands.
  void assign(std::string_view given, std::int32_t at, bool aligns) {
    aligned = aligns;
    origin = at;
    text = given;
    from.clear();
    if (!aligns) return;
    for_each_code_point(given, [&](std::int32_t, std::string_view bytes) {
      from.insert(from.end(), bytes.size(), {at, at + 1});
      ++at;
    });
  }

  /// Empty, for a text that will be made of OTHER.
  void restart(const aligned_text& other) {
    aligned = other.aligned;
    origin = other.origin;
    text.clear();
    from.clear();
  }

  void append(std::string_view part, text_span span) {
    text += part;
    if (aligned) from.insert(from.end(), part.size(), span);
  }

  void append(std::int32_t value, text_span span) {
    const std::size_t before = text.size();
    append_code_point(text, value);
    if (aligned) from.insert(from.end(), text.size() - before, span);
  }

  /// Bytes [BEGIN, END) of OTHER as they stand.
  void copy(const aligned_text& other, std::size_t begin, std::size_t end) {
    text.append(other.text, begin, end - begin);
    if (aligned)
      from.insert(from.end(), other.from.begin() + static_cast<std::ptrdiff_t>(begin),
                  other.from.begin() + static_cast<std::ptrdiff_t>(end));
  }

  /// What the byte AT stands for; what is put in at the very beginning stands for nothing.
  text_span at(std::size_t byte) const { return aligned && byte < from.size() ? from[byte] : text_span{origin, origin}; }

  /// What is put in before byte AT stands for what the byte before it does.
  text_span before(std::size_t byte) const { return byte == 0 ? text_span{origin, origin} : at(byte - 1); }

  /// What bytes [BEGIN, END), which are some, stand for.
  text_span span(byte_range bytes) const { return {from[bytes.begin].begin, from[bytes.end - 1].end}; }
};

/// One code point of a text that replaces another: with CHANGE 0 it takes the place of the next one there, with -N of that one and N more,
/// with 1 of none.
struct changed_character {
  std::int32_t value;
  std::int32_t change;
};

/// Appends CHANGES, which replace bytes [BEGIN, ...) of IN, to OUT; SKIPPED code points at the beginning are gone.
/// Source: NormalizedString::transform_range of the tokenizers library.
inline void append_changes(const aligned_text& in, std::size_t begin, const std::vector<changed_character>& changes, aligned_text& out,
                           std::size_t skipped = 0) {
  std::size_t next = begin;
  const auto pass = [&](std::int64_t characters) {
    for (; characters > 0 && next < in.text.size(); --characters) next += code_point_at(in.text, next).bytes;
  };
  pass(static_cast<std::int64_t>(skipped));
  for (const auto& [value, change] : changes) {
    out.append(value, change > 0 || next >= in.text.size() ? in.before(next) : in.at(next));
    if (change <= 0) pass(std::int64_t{1} - change);
  }
}

}  // namespace graft::detail
