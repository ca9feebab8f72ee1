#pragma once
// Bodies of graft/text/bpe.hpp.

#include <algorithm>
#include <cstddef>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/text/bpe.hpp"
#include "graft/text/byte_pieces.hpp"

namespace graft {

GRAFT_INLINE bpe::bpe(vocabulary pieces, const json& merges, const std::string& where, const bpe_settings& settings)
    : vocabulary_(std::move(pieces)), settings_(settings), merges_(vocabulary_, merges, where, settings.continuing_subword_prefix) {
  if (!settings.unk_token.empty()) unk_id_ = vocabulary_.require(settings.unk_token);
  byte_ids_ = detail::byte_pieces(vocabulary_);
  if (!merges_.doubled().empty()) vocabulary_.note(where + ": \"" + merges_.doubled() + "\" is listed twice: its last place counts");
}

GRAFT_INLINE void bpe::find_symbols(std::string_view word, scratch& work) const {
  auto& symbols = work.symbols;
  symbols.clear();
  std::size_t length = 0;   // of all symbols so far: a character that is left out moves those behind it, as in the tokenizers library
  std::size_t unknown = 0;  // bytes that wait to become one unknown token
  const auto add = [&](std::int32_t id, std::size_t bytes) {
    symbols.push_back({id, length, length + bytes});
    length += bytes;
  };
  const auto add_unknown = [&] {
    if (unknown > 0) add(unk_id_, std::exchange(unknown, 0));
  };
  std::string whole;
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t bytes = detail::code_point_at(word, begin).bytes;
    std::string_view character = word.substr(begin, bytes);
    const bool first = begin == 0, last = begin + bytes == word.size();
    if ((!first && !settings_.continuing_subword_prefix.empty()) || (last && !settings_.end_of_word_suffix.empty())) {
      whole.assign(first ? "" : settings_.continuing_subword_prefix).append(character).append(last ? settings_.end_of_word_suffix : "");
      character = whole;
    }
    begin += bytes;
    const auto byte_id = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
    if (const auto id = vocabulary_.find(character); id >= 0) {
      add_unknown();
      add(id, bytes);
    } else if (settings_.byte_fallback && std::ranges::all_of(character, [&](char byte) { return byte_id(byte) >= 0; })) {
      for (const char byte : character) add(byte_id(byte), 1);
    } else if (unk_id_ >= 0) {
      if (!settings_.fuse_unk) add_unknown();
      unknown += bytes;
    }
  }
  add_unknown();
}

GRAFT_INLINE void bpe::encode(std::string_view word, scratch& work, detail::piece_list out) const {
  if (settings_.ignore_merges) {
    if (const auto id = vocabulary_.find(word); id >= 0) return out.push(id, 0, word.size());
  }
  find_symbols(word, work);
  const auto& symbols = work.symbols;
  const auto symbol = [&](std::int32_t at) -> const scratch::symbol& { return symbols[static_cast<std::size_t>(at)]; };
  detail::join_symbols(
      merges_, static_cast<std::int32_t>(symbols.size()), work.merging, [&](std::int32_t at) { return symbol(at).id; },
      [&](std::int32_t id, std::int32_t first, std::int32_t end) { out.push(id, symbol(first).begin, symbol(end - 1).end); });
}

}  // namespace graft
