#pragma once
// The merges of byte-pair encoding: the list of a vocabulary, and joining the pieces of a word by it.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/json_fwd.hpp"
#include "graft/core/utf8.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft::detail {

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
  std::size_t slot_of(std::uint64_t key) const;

  std::vector<slot> slots_;
};

/// Calls VISIT(line, number) for the lines of TEXT, a merges.txt, that are merges; blank ones at its end are none.
template <class Visit>
void for_each_merge(std::string_view text, Visit&& visit) {
  for_each_line(text.substr(0, text.find_last_not_of("\r\n") + 1), [&](std::uint64_t number, std::string_view line) {
    if (number > 1 || !line.starts_with("#version")) visit(line, number);
  });
}

/// Merges in the order of their ranks.
class merge_list {
 public:
  /// From the lines of merges.txt. Of a merge that is listed twice the last place counts.
  /// @throws format_error  a merge that is no pair, or whose parts or result are no PIECES
  merge_list(const vocabulary& pieces, const std::string& path);

  /// From MERGES, an array of "a b" or ["a", "b"]; WHERE names it in errors. What they make lacks the PREFIX of its second part, which
  /// says that a piece does not begin a word.
  /// @throws format_error  as above
  merge_list(const vocabulary& pieces, const json& merges, const std::string& where, const std::string& prefix = {});

  /// One that is listed twice, the last such; "": none is.
  const std::string& doubled() const noexcept { return doubled_; }

  merge_table::merge find(std::int32_t left, std::int32_t right) const { return table_.find(left, right); }

 private:
  /// FAIL(reason) throws.
  template <class Fail>
  void add(const vocabulary& pieces, std::string_view line, const Fail& fail) {
    const auto space = std::min(line.find(' '), line.size());
    const auto right = line.substr(std::min(space + 1, line.size()));
    if (space == 0 || right.empty() || right.find(' ') != std::string_view::npos) {
      fail("\"" + std::string(line) + "\" is no merge: two pieces with one space between were expected");
    }
    add(pieces, line.substr(0, space), right, {}, fail);
  }

  template <class Fail>
  void add(const vocabulary& pieces, std::string_view left, std::string_view right, std::string_view prefix, const Fail& fail) {
    const auto id_of = [&](std::string_view piece) {
      const auto id = pieces.find(piece);
      if (id < 0) fail("\"" + std::string(piece) + "\" is not in " + pieces.path() + ": of another model?");
      return id;
    };
    const auto joined = std::string(left).append(right.substr(right.starts_with(prefix) ? prefix.size() : 0));
    const auto left_id = id_of(left), right_id = id_of(right);
    if (!table_.insert(left_id, right_id, {size_, id_of(joined)})) doubled_ = std::string(left) + " " + std::string(right);
    ++size_;
  }

  merge_table table_;
  std::int32_t size_ = 0;
  std::string doubled_;
};

/// What joining a word needs, to be used again for the next.
struct merge_scratch {
  struct symbol {
    std::int32_t id;
    std::int32_t previous;     // -1: none
    std::int32_t next;         // -1: none
    merge_table::merge merge;  // with the next one
  };
  std::vector<symbol> symbols;
  std::vector<std::uint64_t> heap;  // rank, then place of the left symbol; entries whose rank is no longer the symbol's are stale
};

/// Joins COUNT symbols, number I of id ID_OF(I): of all neighbors that a merge can join, the pair listed first is joined first (the
/// leftmost on a tie), until no pair is left. Calls VISIT(id, first, end) for what comes of it: it is made of the symbols first .. end - 1.
template <class Id, class Visit>
void join_symbols(const merge_list& merges, std::int32_t count, merge_scratch& work, Id id_of, Visit visit) {
  auto& symbols = work.symbols;
  auto& heap = work.heap;
  symbols.resize(static_cast<std::size_t>(count));
  heap.clear();
  const auto pair_up = [&](std::int32_t left) {
    merge_scratch::symbol& one = symbols[left];
    one.merge = one.next < 0 ? merge_table::merge() : merges.find(one.id, symbols[one.next].id);
    if (one.merge.rank == merge_table::no_rank) return;
    heap.push_back(static_cast<std::uint64_t>(one.merge.rank) << 32 | static_cast<std::uint32_t>(left));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  for (std::int32_t at = count - 1; at >= 0; --at) {
    symbols[at] = {id_of(at), at - 1, at + 1 < count ? at + 1 : -1, {}};
    pair_up(at);
  }
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto rank = static_cast<std::int32_t>(heap.back() >> 32);
    const auto at = static_cast<std::int32_t>(heap.back() & 0xffffffffU);
    heap.pop_back();
    merge_scratch::symbol& left = symbols[at];
    if (left.merge.rank != rank) continue;
    merge_scratch::symbol& right = symbols[left.next];
    right.merge = {};
    left.id = left.merge.result;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = at;
    pair_up(at);
    if (left.previous >= 0) pair_up(left.previous);
  }
  for (std::int32_t at = 0; at >= 0 && at < count; at = symbols[at].next) {
    visit(symbols[at].id, at, symbols[at].next < 0 ? count : symbols[at].next);
  }
}

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/text/merges-inl.hpp"  // IWYU pragma: export
#endif
