#pragma once
// Bodies of graft/text/unigram.hpp.

#include <algorithm>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/text/byte_pieces.hpp"
#include "graft/text/unigram.hpp"

namespace graft {

GRAFT_INLINE unigram::unigram(vocabulary pieces, std::vector<double> scores, const unigram_settings& settings)
    : vocabulary_(std::move(pieces)), scores_(std::move(scores)), trie_(vocabulary_.list()), settings_(settings) {
  if (scores_.empty()) throw format_error(vocabulary_.path(), "holds no pieces");
  if (settings.unk_id >= vocabulary_.size()) {
    throw format_error(vocabulary_.path(), "has " + std::to_string(vocabulary_.size()) + " pieces, but the unknown token has id " +
                                               std::to_string(settings.unk_id));
  }
  unknown_score_ = *std::ranges::min_element(scores_) - 10;
  if (settings.byte_fallback) byte_ids_ = detail::byte_pieces(vocabulary_);
}

GRAFT_INLINE void unigram::encode(std::string_view word, scratch& work, detail::piece_list out) const {
  auto& nodes = work.nodes;
  nodes.assign(word.size() + 1, {0, -1, -1});
  for (std::size_t begin = 0; begin < word.size();) {
    const double score = nodes[begin].score;
    const auto reach = [&](std::size_t end, double reached, std::int32_t id) {
      auto& node = nodes[end];
      if (node.begin < 0 || reached > node.score) node = {reached, static_cast<std::int64_t>(begin), id};
    };
    const std::size_t bytes = detail::code_point_at(word, begin).bytes;
    bool known = false;
    trie_.for_each_prefix(word.substr(begin), [&](std::size_t length, std::int32_t id) {
      reach(begin + length, score + scores_[static_cast<std::size_t>(id)], id);
      known |= length == bytes;
    });
    if (!known) {
      if (settings_.unk_id < 0)
        throw error(vocabulary_.path() + ": has no piece for \"" + std::string(word.substr(begin, bytes)) + "\", and no unknown token");
      reach(begin + bytes, score + unknown_score_, settings_.unk_id);
    }
    begin += bytes;
  }
  auto& found = work.found;
  found.clear();
  bool unknown = false;  // the piece before, in found, was one
  for (std::size_t end = word.size(); end > 0; end = found.back().begin) {
    const auto& node = nodes[end];
    const auto begin = static_cast<std::size_t>(node.begin);
    const bool one = node.id == settings_.unk_id;
    if (one && unknown) {
      found.back().begin = begin;
    } else {
      found.push_back({begin, end});
    }
    unknown = one;
  }
  for (std::size_t i = found.size(); i-- > 0;) {
    const auto range = found[i];
    const auto& node = nodes[range.end];
    if (node.id == settings_.unk_id) {
      push_unknown(word, range, out);
    } else {
      out.push(node.id, range.begin, range.end);
    }
  }
}

GRAFT_INLINE void unigram::push_unknown(std::string_view word, detail::byte_range range, detail::piece_list& out) const {
  const auto text = word.substr(range.begin, range.end - range.begin);
  const auto id_of = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (const auto id = trie_.find(text); id >= 0) {  // several characters without a piece may be one together
    out.push(id, range.begin, range.end);
  } else if (!byte_ids_.empty() && std::ranges::all_of(text, [&](char byte) { return id_of(byte) >= 0; })) {
    for (const char byte : text) out.push(id_of(byte), range.begin, range.end);
  } else {
    out.push(settings_.unk_id, range.begin, range.end);
  }
}

}  // namespace graft
