#pragma once
// Byte-level byte-pair encoding, as GPT-2 and RoBERTa use it: text -> ids, from vocab.json and merges.txt or a tokenizer.json.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/json_fwd.hpp"
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

/// (left id, right id) -> rank of the merge and the id that it makes; flat open addressing.
class merge_table {
 public:
  struct merge {
    std::int32_t rank = no_rank;
    std::int32_t result = -1;
  };
  static constexpr std::int32_t no_rank = -1;

  explicit merge_table(std::size_t merges) : slots_(std::bit_ceil(2 * merges + 2)) {}

  /// False when the pair was there already: VALUE counts now.
  bool insert(std::int32_t left, std::int32_t right, merge value);
  merge find(std::int32_t left, std::int32_t right) const;

 private:
  struct slot {
    std::uint64_t key = 0;
    merge value;
  };
  static std::uint64_t key_of(std::int32_t left, std::int32_t right);
  std::size_t place_of(std::uint64_t key) const;

  std::vector<slot> slots_;
};

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
  /// How many merges were listed.
  std::int32_t merges() const noexcept { return listed_; }
  /// Whether MERGE, "a b" or ["a", "b"], has RANK.
  bool has_merge(const json& merge, std::int32_t rank) const;

  /// Nothing is changed: TEXT itself.
  std::string_view normalize(std::string_view text, std::string& /*buffer*/) const { return text; }

  /// Appends the ids of TEXT, which is valid UTF-8, to IDS.
  void encode(std::string_view text, std::vector<std::int32_t>& ids) const;

 private:
  struct symbol {
    std::int32_t id;
    std::int32_t previous;             // -1: none
    std::int32_t next;                 // -1: none
    detail::merge_table::merge merge;  // with the next one
  };
  struct scratch {
    std::vector<symbol> symbols;
    std::vector<std::uint64_t> heap;  // rank, then place of the left symbol; entries whose rank is no longer the symbol's are stale
  };

  void merge(std::string_view word, scratch& work, std::vector<std::int32_t>& ids) const;

  byte_level_bpe(vocabulary pieces, const byte_level_settings& settings);

  /// FAIL(reason) throws.
  template <class Fail>
  void add_merge(std::string_view line, std::int32_t rank, const Fail& fail) {
    const auto space = std::min(line.find(' '), line.size());
    const auto right = line.substr(std::min(space + 1, line.size()));
    if (space == 0 || right.empty() || right.find(' ') != std::string_view::npos) {
      fail("\"" + std::string(line) + "\" is no merge: two pieces with one space between were expected");
    }
    add_merge(line.substr(0, space), right, rank, fail);
  }

  template <class Fail>
  void add_merge(std::string_view left, std::string_view right, std::int32_t rank, const Fail& fail) {
    const auto id_of = [&, this](const std::string& piece) {
      const auto id = vocabulary_.find(piece);
      if (id < 0) fail("\"" + piece + "\" is not in " + vocabulary_.path() + ": of another model?");
      return id;
    };
    const std::string joined = std::string(left).append(right);
    const auto left_id = id_of(std::string(left));
    const auto right_id = id_of(std::string(right));
    if (!merges_.insert(left_id, right_id, {rank, id_of(joined)})) doubled_ = std::string(left) + " " + std::string(right);
  }
  void finish_merges(const std::string& where, std::int32_t listed);

  /// Most words of a text are pieces whose own encoding is themselves: they are found here, once, and looked up whole from then on.
  void find_whole_words();

  vocabulary vocabulary_;
  byte_level_settings settings_;
  std::array<std::int32_t, 256> byte_ids_{};
  detail::merge_table merges_;
  std::int32_t listed_ = 0;
  std::string doubled_;         // a merge that is listed twice, the last such
  detail::string_table words_;  // raw bytes, not stand-ins
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/byte_level_bpe-inl.hpp"  // IWYU pragma: export
#endif
