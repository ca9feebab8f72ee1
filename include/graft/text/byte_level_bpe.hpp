#pragma once
// Byte-level byte-pair encoding, as GPT-2 and RoBERTa use it: text -> ids, from vocab.json and merges.txt or a tokenizer.json.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/json_fwd.hpp"
#include "graft/text/aligned_text.hpp"
#include "graft/text/merges.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft {

namespace detail {

enum class character_kind : std::uint8_t { other, letter, number, space };

struct character {
  character_kind kind;
  std::size_t end;  // the byte after it
};

inline constexpr auto ascii_kinds = [] {
  std::array<character_kind, 128> kinds{};
  for (std::size_t value = 0; value < 128; ++value) {
    const bool letter = (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z');
    const bool space = value == ' ' || (value >= '\t' && value <= '\r');
    kinds[value] = letter                           ? character_kind::letter
                   : (value >= '0' && value <= '9') ? character_kind::number
                   : space                          ? character_kind::space
                                                    : character_kind::other;
  }
  return kinds;
}();

/// Where the word that starts at byte BEGIN of valid UTF-8 ends, by GPT-2's pattern
///   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// so one space belongs to the word after it, and the rest of a run of white space is a word of its own.
std::size_t word_end(std::string_view text, std::size_t begin);

/// GPT-2's printable stand-in for each byte, as a code point.
inline constexpr auto byte_alphabet = [] {
  std::array<std::int32_t, 256> table{};
  std::int32_t next = 256;
  for (std::int32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    table[static_cast<std::size_t>(byte)] = printable ? byte : next++;
  }
  return table;
}();

}  // namespace detail

/// What a tokenizer's files may set otherwise than RoBERTa's.
struct byte_level_settings {
  bool add_prefix_space = false;    // a text that does not start with a space gets one
  bool use_regex = true;            // false: a text is one word
  bool ignore_merges = false;       // a word that is a piece is that piece, whatever the merges make of it
  std::string unk_token = "<unk>";  // for bytes without a piece; "": none
};

/// Splits text into words by GPT-2's pattern and each word's bytes into pieces: of all neighbors that a merge can join, the pair listed
/// first is joined first (the leftmost on a tie), until no pair is left.   Cost: n log n for a word of n bytes; one lookup for a word
/// that is a piece itself. `encode` may be called from several threads at once.
/// Source: Radford et al. 2019, section 2.2; Sennrich et al. 2016.   Tested: tests/text/byte_level_bpe_test.cpp
class byte_level_bpe {
 public:
  /// From the lines of merges.txt; blank ones at its end do not count. Of a merge that is listed twice the last place counts.
  /// @throws format_error  a merge that is no pair, or whose parts or result are no pieces; a byte without a piece when there is no
  ///                       unk_token either
  byte_level_bpe(vocabulary pieces, const std::string& merges_path, const byte_level_settings& settings = {});

  /// From MERGES, an array of "a b" or ["a", "b"]; WHERE names it in errors.
  /// @throws format_error  as above
  byte_level_bpe(vocabulary pieces, const json& merges, const std::string& where, const byte_level_settings& settings);

  const vocabulary& pieces() const noexcept { return vocabulary_; }
  const detail::merge_list& merges() const noexcept { return merges_; }

  /// Nothing is changed: TEXT itself.
  std::string_view normalize(std::string_view text, std::string& /*buffer*/) const { return text; }
  void normalize(detail::aligned_text& /*text*/) const {}

  /// Appends the ids of TEXT, which is valid UTF-8, to OUT.
  void encode(std::string_view text, detail::piece_list out) const;

 private:
  void finish(const std::string& merges_where);

  /// Bytes [BEGIN, END) of TEXT are a word.
  void join(std::string_view text, std::size_t begin, std::size_t end, detail::merge_scratch& work, detail::piece_list& out) const;

  /// Most words of a text are pieces whose own encoding is themselves: pieces are listed once, as the bytes that they stand for, ...
  void list_words();
  /// ... and each is found to be such a one or not, when its WORD first comes.
  bool is_whole(std::int32_t id, std::string_view word, detail::merge_scratch& work) const;

  enum class known : std::uint8_t { nothing, whole, several };

  vocabulary vocabulary_;
  byte_level_settings settings_;
  std::array<std::int32_t, 256> byte_ids_{};
  detail::merge_list merges_;
  detail::string_table words_;                   // raw bytes, not stand-ins
  std::shared_ptr<std::atomic<known>[]> whole_;  // of each id, for all copies
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/byte_level_bpe-inl.hpp"  // IWYU pragma: export
#endif
