#pragma once
// Byte-level byte-pair encoding, as GPT-2 and RoBERTa use it: text -> ids, from vocab.json and merges.txt or a tokenizer.json.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft {

namespace detail {

enum class character_kind : std::uint8_t { other, letter, number, space };

inline character_kind kind_of(std::int32_t value) {
  const auto category = utf8proc_category(value);
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return character_kind::letter;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return character_kind::number;
  return is_white_space(value) ? character_kind::space : character_kind::other;
}

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

inline character character_at(std::string_view text, std::size_t at) {
  if (is_ascii(text[at])) return {ascii_kinds[static_cast<unsigned char>(text[at])], at + 1};
  const auto [value, bytes] = code_point_at(text, at);
  return {kind_of(value), at + bytes};
}

/// Where the word that starts at byte BEGIN of valid UTF-8 ends, by GPT-2's pattern
///   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// so one space belongs to the word after it, and the rest of a run of white space is a word of its own.
inline std::size_t word_end(std::string_view text, std::size_t begin) {
  if (text[begin] == '\'') {
    for (const std::string_view suffix : {"s", "t", "re", "ve", "m", "ll", "d"}) {
      if (text.substr(begin + 1).starts_with(suffix)) return begin + 1 + suffix.size();
    }
  }
  auto next = character_at(text, begin);
  const auto first = next;
  if (text[begin] == ' ' && next.end < text.size()) next = character_at(text, next.end);
  std::size_t end = first.end;
  if (next.kind != character_kind::space) {
    for (end = next.end; end < text.size(); end = next.end) {
      const auto kind = next.kind;
      next = character_at(text, end);
      if (next.kind != kind) break;
    }
    return end;
  }
  std::size_t last = begin;  // the last white space of the run, which is left to the next word unless it is the first, too
  while (end < text.size() && (next = character_at(text, end)).kind == character_kind::space) last = std::exchange(end, next.end);
  return end == text.size() || last == begin ? end : last;
}

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
  bool insert(std::int32_t left, std::int32_t right, merge value) {
    slot& place = slots_[place_of(key_of(left, right))];
    const bool fresh = place.value.rank == no_rank;
    place = {key_of(left, right), value};
    return fresh;
  }
  merge find(std::int32_t left, std::int32_t right) const { return slots_[place_of(key_of(left, right))].value; }

 private:
  struct slot {
    std::uint64_t key = 0;
    merge value;
  };
  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  }
  std::size_t place_of(std::uint64_t key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (key * 0x9e3779b97f4a7c15U) >> 32 & mask;
    while (slots_[at].value.rank != no_rank && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

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
  byte_level_bpe(vocabulary pieces, const std::string& merges_path, const byte_level_settings& settings = {})
      : byte_level_bpe(std::move(pieces), settings) {
    const mapped_file file(merges_path);
    const auto text = file.text().substr(0, file.text().find_last_not_of("\r\n") + 1);
    merges_ = detail::merge_table(static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1);
    std::int32_t rank = 0;
    detail::for_each_line(text, [&](std::uint64_t number, std::string_view line) {
      if (number == 1 && line.starts_with("#version")) return;
      const auto fail = [&](const std::string& reason) { throw format_error::at_line(merges_path, number, reason); };
      add_merge(line, rank++, fail);
    });
    finish_merges(merges_path, rank);
    find_whole_words();
  }

  /// From MERGES, an array of "a b" or ["a", "b"]; WHERE names it in errors.
  /// @throws format_error  as above
  byte_level_bpe(vocabulary pieces, const json& merges, const std::string& where, const byte_level_settings& settings)
      : byte_level_bpe(std::move(pieces), settings) {
    if (!merges.is_array()) throw format_error(where, "is no list of merges");
    merges_ = detail::merge_table(merges.size());
    std::int32_t rank = 0;
    for (const auto& merge : merges) {
      const auto fail = [&](const std::string& reason) { throw format_error(where, "entry " + std::to_string(rank) + ": " + reason); };
      if (merge.is_string()) {
        add_merge(merge.get_ref<const std::string&>(), rank, fail);
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        add_merge(merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>(), rank, fail);
      } else {
        fail(shown(merge) + " is no merge: \"a b\" or [\"a\", \"b\"] was expected");
      }
      ++rank;
    }
    finish_merges(where, rank);
    find_whole_words();
  }

  const vocabulary& pieces() const noexcept { return vocabulary_; }
  /// How many merges were listed.
  std::int32_t merges() const noexcept { return listed_; }
  /// Whether MERGE, "a b" or ["a", "b"], has RANK.
  bool has_merge(const json& merge, std::int32_t rank) const {
    std::string left, right;
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      const auto space = std::min(text.find(' '), text.size());
      left = text.substr(0, space);
      right = text.substr(std::min(space + 1, text.size()));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    }
    const auto left_id = vocabulary_.find(left), right_id = vocabulary_.find(right);
    return left_id >= 0 && right_id >= 0 && merges_.find(left_id, right_id).rank == rank;
  }

  /// Nothing is changed: TEXT itself.
  std::string_view normalize(std::string_view text, std::string& /*buffer*/) const { return text; }

  /// Appends the ids of TEXT, which is valid UTF-8, to IDS.
  void encode(std::string_view text, std::vector<std::int32_t>& ids) const {
    std::string spaced;
    if (settings_.add_prefix_space && !text.empty() && text[0] != ' ') text = spaced.append(" ").append(text);
    scratch work;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = settings_.use_regex ? detail::word_end(text, begin) : text.size();
      const auto word = text.substr(begin, end - begin);
      const auto id = words_.find(word);
      if (id >= 0) {
        ids.push_back(id);
      } else {
        merge(word, work, ids);
      }
      begin = end;
    }
  }

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

  void merge(std::string_view word, scratch& work, std::vector<std::int32_t>& ids) const {
    auto& symbols = work.symbols;
    auto& heap = work.heap;
    const auto count = static_cast<std::int32_t>(word.size());
    symbols.resize(word.size());
    heap.clear();
    const auto pair_up = [&, this](std::int32_t left) {
      symbol& one = symbols[left];
      one.merge = one.next < 0 ? detail::merge_table::merge() : merges_.find(one.id, symbols[one.next].id);
      if (one.merge.rank == detail::merge_table::no_rank) return;
      heap.push_back(static_cast<std::uint64_t>(one.merge.rank) << 32 | static_cast<std::uint32_t>(left));
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };
    for (std::int32_t at = count - 1; at >= 0; --at) {
      symbols[at] = {byte_ids_[static_cast<unsigned char>(word[at])], at - 1, at + 1 < count ? at + 1 : -1, {}};
      pair_up(at);
    }
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      const auto rank = static_cast<std::int32_t>(heap.back() >> 32);
      const auto at = static_cast<std::int32_t>(heap.back() & 0xffffffffU);
      heap.pop_back();
      symbol& left = symbols[at];
      if (left.merge.rank != rank) continue;
      symbol& right = symbols[left.next];
      right.merge = {};
      left.id = left.merge.result;
      left.next = right.next;
      if (left.next >= 0) symbols[left.next].previous = at;
      pair_up(at);
      if (left.previous >= 0) pair_up(left.previous);
    }
    for (std::int32_t at = 0; at >= 0; at = symbols[at].next) ids.push_back(symbols[at].id);
  }

  byte_level_bpe(vocabulary pieces, const byte_level_settings& settings)
      : vocabulary_(std::move(pieces)), settings_(settings), merges_(0), words_(static_cast<std::size_t>(vocabulary_.size())) {
    const auto unk_id = settings.unk_token.empty() ? -1 : vocabulary_.find(settings.unk_token);
    for (std::size_t byte = 0; byte < 256; ++byte) {
      std::string piece;
      detail::append_code_point(piece, detail::byte_alphabet[byte]);
      const auto id = vocabulary_.find(piece);
      byte_ids_[byte] = id >= 0 ? id : unk_id;
      if (byte_ids_[byte] < 0) {
        throw format_error(vocabulary_.path(), "has neither a piece for byte " + std::to_string(byte) + " (\"" + piece + "\") nor " +
                                                   (settings.unk_token.empty() ? "an unk_token" : "\"" + settings.unk_token + "\""));
      }
    }
  }

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
  void finish_merges(const std::string& where, std::int32_t listed) {
    listed_ = listed;
    if (!doubled_.empty()) vocabulary_.note(where + ": \"" + doubled_ + "\" is listed twice: its last place counts");
  }

  /// Most words of a text are pieces whose own encoding is themselves: they are found here, once, and looked up whole from then on.
  void find_whole_words() {
    std::array<std::int32_t, 512> byte_of;
    byte_of.fill(-1);
    for (std::int32_t byte = 0; byte < 256; ++byte) {
      byte_of[static_cast<std::size_t>(detail::byte_alphabet[static_cast<std::size_t>(byte)])] = byte;
    }
    scratch work;
    std::vector<std::int32_t> ids;
    for (std::int32_t id = 0; id < vocabulary_.size(); ++id) {
      const std::string& piece = vocabulary_.piece(id);
      std::string word;
      for (std::size_t at = 0; at < piece.size();) {
        const auto [value, bytes] = detail::code_point_at(piece, at);
        if (value >= 512 || byte_of[static_cast<std::size_t>(value)] < 0) {
          word.clear();
          break;
        }
        word += static_cast<char>(byte_of[static_cast<std::size_t>(value)]);
        at += bytes;
      }
      if (word.empty()) continue;
      ids.clear();
      merge(word, work, ids);
      if ((settings_.ignore_merges && vocabulary_.find(piece) == id) || (ids.size() == 1 && ids[0] == id)) words_.insert(word, id);
    }
  }

  vocabulary vocabulary_;
  byte_level_settings settings_;
  std::array<std::int32_t, 256> byte_ids_{};
  detail::merge_table merges_;
  std::int32_t listed_ = 0;
  std::string doubled_;         // a merge that is listed twice, the last such
  detail::string_table words_;  // raw bytes, not stand-ins
};

}  // namespace graft
