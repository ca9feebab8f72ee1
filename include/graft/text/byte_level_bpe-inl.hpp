#pragma once
// Bodies of graft/text/byte_level_bpe.hpp.

#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/unicode_tables.hpp"
#include "graft/text/utf8.hpp"

namespace graft::detail {

GRAFT_INLINE character_kind kind_of(std::int32_t value) {
  const auto category = utf8proc_category(value);
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return character_kind::letter;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return character_kind::number;
  if (category == UTF8PROC_CATEGORY_CN && is_in(new_letters, value)) return character_kind::letter;
  if (category == UTF8PROC_CATEGORY_CN && is_in(new_numbers, value)) return character_kind::number;
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

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE byte_level_bpe::byte_level_bpe(vocabulary pieces, const std::string& merges_path, const byte_level_settings& settings)
    : vocabulary_(std::move(pieces)),
      settings_(settings),
      merges_(vocabulary_, merges_path),
      words_(static_cast<std::size_t>(vocabulary_.size())),
      whole_(new std::atomic<known>[static_cast<std::size_t>(vocabulary_.size())]()) {
  finish(merges_path);
}

GRAFT_INLINE byte_level_bpe::byte_level_bpe(vocabulary pieces, const json& merges, const std::string& where,
                                            const byte_level_settings& settings)
    : vocabulary_(std::move(pieces)),
      settings_(settings),
      merges_(vocabulary_, merges, where),
      words_(static_cast<std::size_t>(vocabulary_.size())),
      whole_(new std::atomic<known>[static_cast<std::size_t>(vocabulary_.size())]()) {
  finish(where);
}

GRAFT_INLINE void byte_level_bpe::encode(std::string_view text, detail::piece_list out) const {
  const std::size_t before = out.ids.size();
  std::string spaced;
  if (settings_.add_prefix_space && !text.empty() && text[0] != ' ') text = spaced.append(" ").append(text);
  detail::merge_scratch work;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = settings_.use_regex ? detail::word_end(text, begin) : text.size();
    const std::string_view word = text.substr(begin, end - begin);
    const auto id = words_.find(word);
    if (id >= 0 && is_whole(id, word, work)) {
      out.push(id, begin, end);
    } else {
      join(text, begin, end, work, out);
    }
    begin = end;
  }
  if (spaced.empty() || out.ranges == nullptr) return;
  for (std::size_t i = out.ranges->size() - (out.ids.size() - before); i < out.ranges->size(); ++i) {
    auto& [begin, end] = (*out.ranges)[i];  // the space in front stands for what the first character does
    begin -= begin > out.word;
    end -= end > begin + 1;
  }
}

GRAFT_INLINE void byte_level_bpe::join(std::string_view text, std::size_t begin, std::size_t end, detail::merge_scratch& work,
                                       detail::piece_list& out) const {
  const auto id_of = [&](std::int32_t at) { return byte_ids_[static_cast<unsigned char>(text[begin + static_cast<std::size_t>(at)])]; };
  detail::join_symbols(merges_, static_cast<std::int32_t>(end - begin), work, id_of,
                       [&](std::int32_t id, std::int32_t first, std::int32_t until) {
                         out.push(id, begin + static_cast<std::size_t>(first), begin + static_cast<std::size_t>(until));
                       });
}

GRAFT_INLINE void byte_level_bpe::finish(const std::string& merges_where) {
  const auto unk_id = settings_.unk_token.empty() ? -1 : vocabulary_.find(settings_.unk_token);
  for (std::size_t byte = 0; byte < 256; ++byte) {
    std::string piece;
    detail::append_code_point(piece, detail::byte_alphabet[byte]);
    const auto id = vocabulary_.find(piece);
    byte_ids_[byte] = id >= 0 ? id : unk_id;
    if (byte_ids_[byte] < 0) {
      throw format_error(vocabulary_.path(), "has neither a piece for byte " + std::to_string(byte) + " (\"" + piece + "\") nor " +
                                                 (settings_.unk_token.empty() ? "an unk_token" : "\"" + settings_.unk_token + "\""));
    }
  }
  if (!merges_.doubled().empty()) vocabulary_.note(merges_where + ": \"" + merges_.doubled() + "\" is listed twice: its last place counts");
  list_words();
}

GRAFT_INLINE void byte_level_bpe::list_words() {
  std::array<std::int32_t, 512> byte_of;
  byte_of.fill(-1);
  for (std::int32_t byte = 0; byte < 256; ++byte) {
    byte_of[static_cast<std::size_t>(detail::byte_alphabet[static_cast<std::size_t>(byte)])] = byte;
  }
  std::string word;
  for (std::int32_t id = vocabulary_.size() - 1; id >= 0; --id) {  // the last of two that are the same counts
    const std::string& piece = vocabulary_.piece(id);
    word.clear();
    for (std::size_t at = 0; at < piece.size();) {
      const auto [value, bytes] = detail::code_point_at(piece, at);
      if (value >= 512 || byte_of[static_cast<std::size_t>(value)] < 0) {
        word.clear();
        break;
      }
      word += static_cast<char>(byte_of[static_cast<std::size_t>(value)]);
      at += bytes;
    }
    if (!word.empty()) words_.insert(word, id);
  }
}

GRAFT_INLINE bool byte_level_bpe::is_whole(std::int32_t id, std::string_view word, detail::merge_scratch& work) const {
  if (settings_.ignore_merges) return true;
  std::atomic<known>& whole = whole_[static_cast<std::size_t>(id)];  // threads that ask at once find the same
  if (whole.load(std::memory_order_relaxed) == known::nothing) {
    std::vector<std::int32_t> ids;
    detail::piece_list out{ids};
    join(word, 0, word.size(), work, out);
    whole.store(ids.size() == 1 && ids[0] == id ? known::whole : known::several, std::memory_order_relaxed);
  }
  return whole.load(std::memory_order_relaxed) == known::whole;
}

}  // namespace graft
