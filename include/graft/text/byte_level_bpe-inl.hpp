#pragma once
// Bodies of graft/text/byte_level_bpe.hpp.

#include <functional>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/utf8.hpp"

namespace graft::detail {

GRAFT_INLINE character_kind kind_of(std::int32_t value) {
  const auto category = utf8proc_category(value);
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return character_kind::letter;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return character_kind::number;
  return is_white_space(value) ? character_kind::space : character_kind::other;
}

GRAFT_INLINE character character_at(std::string_view text, std::size_t at) {
  if (is_ascii(text[at])) return {ascii_kinds[static_cast<unsigned char>(text[at])], at + 1};
  const auto [value, bytes] = code_point_at(text, at);
  return {kind_of(value), at + bytes};
}

GRAFT_INLINE std::size_t word_end(std::string_view text, std::size_t begin) {
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

GRAFT_INLINE bool merge_table::insert(std::int32_t left, std::int32_t right, merge value) {
  slot& place = slots_[place_of(key_of(left, right))];
  const bool fresh = place.value.rank == no_rank;
  place = {key_of(left, right), value};
  return fresh;
}

GRAFT_INLINE merge_table::merge merge_table::find(std::int32_t left, std::int32_t right) const {
  return slots_[place_of(key_of(left, right))].value;
}

GRAFT_INLINE std::uint64_t merge_table::key_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

GRAFT_INLINE std::size_t merge_table::place_of(std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (key * 0x9e3779b97f4a7c15U) >> 32 & mask;
  while (slots_[at].value.rank != no_rank && slots_[at].key != key) at = (at + 1) & mask;
  return at;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE byte_level_bpe::byte_level_bpe(vocabulary pieces, const std::string& merges_path, const byte_level_settings& settings)
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

GRAFT_INLINE byte_level_bpe::byte_level_bpe(vocabulary pieces, const json& merges, const std::string& where,
                                            const byte_level_settings& settings)
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

GRAFT_INLINE bool byte_level_bpe::has_merge(const json& merge, std::int32_t rank) const {
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

GRAFT_INLINE void byte_level_bpe::encode(std::string_view text, std::vector<std::int32_t>& ids) const {
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

GRAFT_INLINE void byte_level_bpe::merge(std::string_view word, scratch& work, std::vector<std::int32_t>& ids) const {
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

GRAFT_INLINE byte_level_bpe::byte_level_bpe(vocabulary pieces, const byte_level_settings& settings)
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

GRAFT_INLINE void byte_level_bpe::finish_merges(const std::string& where, std::int32_t listed) {
  listed_ = listed;
  if (!doubled_.empty()) vocabulary_.note(where + ": \"" + doubled_ + "\" is listed twice: its last place counts");
}

GRAFT_INLINE void byte_level_bpe::find_whole_words() {
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

}  // namespace graft
